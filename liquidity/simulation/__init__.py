"""A settlement day, event by event: what settles when, under which policy."""

from liquidity.simulation.policies import Delay, NoSuchPolicy, Policy
from liquidity.simulation.simulating import SimulationResult, simulate

__all__ = ["Delay", "NoSuchPolicy", "Policy", "SimulationResult", "simulate"]
