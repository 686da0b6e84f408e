"""Processes that compute one mask graph together.

Read `process_group` first: collectives of a torch.distributed group on NumPy arrays. `root_driven` builds on it the
protocol by which the root runs a solver and the other processes compute their share of each matrix product.

>>> import torch.distributed as dist
>>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
>>> ProcessGroup.from_torch().all_reduce([1.0, 2.0]).tolist()
[1.0, 2.0]
>>> dist.destroy_process_group()
"""

from maetheory.empirical.parallel.process_group import ProcessGroup, run_everywhere
from maetheory.empirical.parallel.root_driven import RootDriven, solve_on_root

__all__ = ["ProcessGroup", "RootDriven", "run_everywhere", "solve_on_root"]
