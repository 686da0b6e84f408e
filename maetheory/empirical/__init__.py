"""Mask graphs of real images, where no two views coincide unless something makes them."""

from maetheory.empirical.gaussian import GaussianTable
from maetheory.empirical.kernel import KernelGraph, kernel_graph

__all__ = ["GaussianTable", "KernelGraph", "kernel_graph"]
