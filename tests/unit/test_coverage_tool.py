"""The coverage check tells a hole from what the compiler does not count."""

from tools.coverage import ACCEPTED, Hole, holes, reason

SOURCE = """contract Some {
    function one() external {
        uint256 hash;
        assembly ("memory-safe") {
            hash := 1
        }
        emit Done(hash);
    }
}
"""
REPORT = """SF:contracts/Some.sol
DA:3,4
DA:5,0
DA:7,0
BRDA:7,1,0,-
BRDA:7,1,1,3
SF:tests/contracts/Some.t.sol
DA:1,0
"""


def found():
    return list(holes(REPORT, {"contracts/Some.sol": SOURCE}))


def test_lines_and_branches_that_no_test_reaches_are_named_with_their_text():
    assert found() == [
        Hole("contracts/Some.sol", 5, "hash := 1", False),
        Hole("contracts/Some.sol", 7, "emit Done(hash);", False),
        Hole("contracts/Some.sol", 7, "emit Done(hash);", True),
    ]


def test_a_line_of_assembly_is_explained_and_what_comes_after_it_is_not():
    assert [reason(one, SOURCE) for one in found()] == ["assembly", "", ""]


def test_an_explanation_is_for_a_line_and_never_for_a_branch():
    text = next(iter(ACCEPTED))
    assert reason(Hole("contracts/Some.sol", 7, text, False), SOURCE) == text
    assert reason(Hole("contracts/Some.sol", 7, text, True), SOURCE) == ""
