"""Files of banks that know only the usage guideline: their own prefixes, layout and habits; they work as they are."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from corridor import app
from corridor.app import World
from corridor.cli import main
from tests.samples import HK_A, HK_B, OPERATOR, START_S, TH_A, TH_B, told

# A bare document with a prefix, pretty-printed; the agents stand in the group header, BICs have eight characters.
TREASURY = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- treasury system, export 4711 -->
<doc:Document xmlns:doc="urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08"
              xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <doc:FICdtTrf>
    <doc:GrpHdr>
      <doc:MsgId>TRSY/4711</doc:MsgId>
      <doc:CreDtTm>2026-11-23T01:15:00.125Z</doc:CreDtTm>
      <doc:NbOfTxs>1</doc:NbOfTxs>
      <doc:CtrlSum>2000000</doc:CtrlSum>
      <doc:TtlIntrBkSttlmAmt Ccy="HKD">2000000.0</doc:TtlIntrBkSttlmAmt>
      <doc:IntrBkSttlmDt>2026-11-23</doc:IntrBkSttlmDt>
      <doc:SttlmInf>
        <doc:SttlmMtd>CLRG</doc:SttlmMtd>
      </doc:SttlmInf>
      <doc:InstgAgt>
        <doc:FinInstnId>
          <doc:BICFI>{HK_B[:8]}</doc:BICFI>
        </doc:FinInstnId>
      </doc:InstgAgt>
      <doc:InstdAgt>
        <doc:FinInstnId>
          <doc:BICFI>{TH_B[:8]}</doc:BICFI>
        </doc:FinInstnId>
      </doc:InstdAgt>
    </doc:GrpHdr>
    <doc:CdtTrfTxInf>
      <doc:PmtId>
        <doc:InstrId>LEG-A</doc:InstrId>
        <doc:EndToEndId>DEAL 2026/88</doc:EndToEndId>
        <doc:UETR>0b7dd3c8-6a52-4d0e-9a67-3f5b8a1c2d3e</doc:UETR>
      </doc:PmtId>
      <doc:PmtTpInf>
        <doc:InstrPrty>HIGH</doc:InstrPrty>
        <doc:LclInstrm>
          <doc:Prtry>PVP</doc:Prtry>
        </doc:LclInstrm>
      </doc:PmtTpInf>
      <doc:IntrBkSttlmAmt Ccy="HKD">2000000</doc:IntrBkSttlmAmt>
      <doc:Dbtr>
        <doc:FinInstnId>
          <doc:BICFI>{HK_B[:8]}</doc:BICFI>
        </doc:FinInstnId>
      </doc:Dbtr>
      <doc:Cdtr>
        <doc:FinInstnId>
          <doc:BICFI>{TH_B[:8]}</doc:BICFI>
        </doc:FinInstnId>
      </doc:Cdtr>
      <doc:InstrForNxtAgt>
        <doc:InstrInf>/PVP/THB9000000.00</doc:InstrInf>
      </doc:InstrForNxtAgt>
    </doc:CdtTrfTxInf>
  </doc:FICdtTrf>
</doc:Document>
"""

# The other side: one line, default namespace, value date in the transaction, and only debtor and creditor.
BACK_OFFICE = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08"><FICdtTrf><GrpHdr><MsgId>20261123000017</MsgId>'
    "<CreDtTm>2026-11-23T08:31:07+07:00</CreDtTm><NbOfTxs>1</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>"
    "</GrpHdr><CdtTrfTxInf><PmtId><EndToEndId>DEAL 2026/88</EndToEndId>"
    "<UETR>9f1c2a44-0e6b-4f7d-8c3a-77b1d2e3f405</UETR></PmtId><PmtTpInf><LclInstrm><Prtry>PVP</Prtry></LclInstrm>"
    '</PmtTpInf><IntrBkSttlmAmt Ccy="THB">9000000.00</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-23</IntrBkSttlmDt>'
    f"<Dbtr><FinInstnId><BICFI>{TH_B}</BICFI></FinInstnId></Dbtr>"
    f"<Cdtr><FinInstnId><BICFI>{HK_B}</BICFI></FinInstnId></Cdtr>"
    "<InstrForNxtAgt><InstrInf>/PVP/HKD2000000.00</InstrInf></InstrForNxtAgt></CdtTrfTxInf></FICdtTrf></Document>"
)

# Customers' payments of a Thai bank under an envelope of its own; only debtor's and creditor's agent are named.
# The second is short of a currency that the bank doesn't hold, the third has a decimal too many.
PAYMENT_HUB = f"""<?xml version='1.0' encoding='utf-8'?>
<hub:Parcel xmlns:hub="urn:a-bank:hub"><h:AppHdr xmlns:h="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">
<h:Fr><h:FIId><h:FinInstnId><h:BICFI>{TH_A[:8]}</h:BICFI></h:FinInstnId></h:FIId></h:Fr>
<h:To><h:FIId><h:FinInstnId><h:BICFI>{OPERATOR[:8]}</h:BICFI></h:FinInstnId></h:FIId></h:To>
<h:BizMsgIdr>HUB-1</h:BizMsgIdr><h:MsgDefIdr>pacs.008.001.08</h:MsgDefIdr><h:CreDt>2026-11-23T02:00:00Z</h:CreDt>
</h:AppHdr><p:Document xmlns:p="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><p:FIToFICstmrCdtTrf>
<p:GrpHdr><p:MsgId>HUB-1</p:MsgId><p:CreDtTm>2026-11-23T02:00:00Z</p:CreDtTm><p:NbOfTxs>3</p:NbOfTxs>
<p:SttlmInf><p:SttlmMtd>CLRG</p:SttlmMtd></p:SttlmInf></p:GrpHdr>
{
    "".join(
        f'''<p:CdtTrfTxInf><p:PmtId><p:EndToEndId>{reference}</p:EndToEndId><p:UETR>{uetr}</p:UETR></p:PmtId>
<p:IntrBkSttlmAmt Ccy="{currency}">{amount}</p:IntrBkSttlmAmt><p:IntrBkSttlmDt>2026-11-23</p:IntrBkSttlmDt>
<p:ChrgBr>DEBT</p:ChrgBr><p:Dbtr><p:Nm>บริษัท ส่งออก จำกัด</p:Nm></p:Dbtr>
<p:DbtrAgt><p:FinInstnId><p:BICFI>{TH_A[:8]}</p:BICFI></p:FinInstnId></p:DbtrAgt>
<p:CdtrAgt><p:FinInstnId><p:BICFI>{HK_A[:8]}</p:BICFI></p:FinInstnId></p:CdtrAgt>
<p:Cdtr><p:Nm>進口 &amp; Co</p:Nm></p:Cdtr>
<p:RmtInf><p:Ustrd>Invoice 12 &lt;paid&gt;</p:Ustrd></p:RmtInf></p:CdtTrfTxInf>'''
        for reference, uetr, currency, amount in (
            ("A-1", "5d2f6b1e-93c4-4a8b-b1d0-0c9e8f7a6b51", "THB", "1250.5"),
            ("A-2", "5d2f6b1e-93c4-4a8b-b1d0-0c9e8f7a6b52", "HKD", "10"),
            ("A-3", "5d2f6b1e-93c4-4a8b-b1d0-0c9e8f7a6b53", "THB", "0.125"),
        )
    )
}
</p:FIToFICstmrCdtTrf></p:Document></hub:Parcel>
"""


@pytest.fixture
def at(monkeypatch, data_dir, tmp_path):
    """Run a command on the test's corridor, or submit a text as a file."""
    monkeypatch.setattr(app, "World", lambda: World(lambda: START_S, lambda _: None))

    def runs(command, *arguments):
        result = CliRunner(mix_stderr=False).invoke(main, [command, "--data-dir", str(data_dir), *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def submits(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return runs("submit", path)

    runs.submit = submits
    return runs


def test_a_trade_of_two_systems_that_write_differently_settles(at, open_bench):
    assert at.submit("treasury.xml", TREASURY).exit_code == 0
    assert at.submit("back-office.xml", BACK_OFFICE).exit_code == 0
    assert "settled gross: 1" in at("cycle").stdout
    bench = open_bench()
    assert bench.balance(TH_B, "HKD") == 200_000_000
    assert bench.balance(HK_B, "THB") == 900_000_000
    assert bench.statuses(HK_B, "0b7dd3c8-6a52-4d0e-9a67-3f5b8a1c2d3e") == ["ACTC", "ACSP", "ACSC"]
    assert bench.statuses(TH_B, "9f1c2a44-0e6b-4f7d-8c3a-77b1d2e3f405") == ["ACTC", "ACSP", "ACSC"]


def test_a_bulk_of_a_payment_hub_is_judged_one_by_one_and_answered_under_a_header(at, open_bench):
    assert at.submit("hub.xml", PAYMENT_HUB).exit_code == 6
    at("cycle")
    bench = open_bench()
    first = bench.outbox(TH_A)[0]
    assert b"AppHdr" in first
    assert [(one.uetr[-1], one.status, one.code) for one in told(first)] == [
        ("1", "ACTC", ""),
        ("2", "ACTC", ""),
        ("3", "RJCT", "AM12"),
    ]
    assert bench.balance(HK_A, "THB") == 125_050
    assert bench.state("5d2f6b1e-93c4-4a8b-b1d0-0c9e8f7a6b52") == "queued"
    [forward] = bench.outbox(HK_A, "forward")
    assert "進口 &amp; Co".encode() in forward


def test_the_same_files_laid_out_anew_mean_the_same(at, open_bench):
    """White space between elements is not content: the same payments, sent again by another system."""
    at.submit("back-office.xml", BACK_OFFICE)
    laid_out = BACK_OFFICE.replace("><", ">\n   <")
    assert at.submit("again.xml", laid_out).exit_code == 0
    bench = open_bench()
    assert bench.statuses(TH_B, "9f1c2a44-0e6b-4f7d-8c3a-77b1d2e3f405") == ["ACTC", "ACTC"]
