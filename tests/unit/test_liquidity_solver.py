"""What HiGHS prints past Python is kept back; what others print meanwhile is not lost."""

import os
import threading

import numpy as np
from scipy import sparse

from liquidity.solver import STANDARD_OUTPUT, STRAY, branch_and_cut, kept

STRAY_LINE = STRAY + b"transformNewIntegerFeasibleSolution tmpSolver.run();\n"


def test_a_stray_line_is_kept_back_and_others_are_passed_on(capfd):
    with kept.back():
        os.write(STANDARD_OUTPUT, STRAY_LINE + b"of another thread\n" + STRAY_LINE)
        assert capfd.readouterr().out == ""
    os.write(STANDARD_OUTPUT, b"after it\n")
    assert capfd.readouterr().out == "of another thread\nafter it\n"


def test_several_threads_may_solve_at_a_time(capfd):
    begun, may_end = threading.Event(), threading.Event()

    def solve_long():
        with kept.back():
            begun.set()
            may_end.wait()

    thread = threading.Thread(target=solve_long)
    thread.start()
    begun.wait()
    with kept.back():
        os.write(STANDARD_OUTPUT, STRAY_LINE + b"within both\n")
    os.write(STANDARD_OUTPUT, STRAY_LINE + b"within one\n")
    may_end.set()
    thread.join()
    assert capfd.readouterr().out == "within both\nwithin one\n"


def test_it_solves_where_standard_output_is_closed(capfd):
    spare = os.dup(STANDARD_OUTPUT)
    os.close(STANDARD_OUTPUT)
    try:
        found = branch_and_cut(
            np.array([3.0, 2.0]), sparse.csc_matrix([[2.0, 1.0]]), np.array([2.0]), np.ones(2), 1.0,
            gap=0.0, nodes=None, seconds=None,
        )  # fmt: skip
    finally:
        os.dup2(spare, STANDARD_OUTPUT)
        os.close(spare)
    assert found.x.tolist() == [1.0, 0.0]
    assert capfd.readouterr().out == ""
