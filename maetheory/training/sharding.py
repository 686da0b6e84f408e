"""FSDP: shard a model among processes and gather its full weights."""

from __future__ import annotations

import copy
import warnings
from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import FSDPStrategy, ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from maetheory.core import InputError


def fsdp_strategy(processes: int) -> ModelParallelStrategy:
    """Return Fabric's strategy that shards weights, gradients and optimiser state among processes."""
    return ModelParallelStrategy(shard_model, data_parallel_size=processes, tensor_parallel_size=1)


def uses_fsdp(fabric: Fabric) -> bool:
    """Return whether a Fabric shards the weights among its processes.

    Raises
    ------
    InputError
        If it does so by wrapping, as Fabric's own "fsdp": names of weights would change.
    """
    if isinstance(fabric.strategy, FSDPStrategy):
        raise InputError("Fabric's strategy 'fsdp' renames weights; take make_fabric(strategy='fsdp') instead")
    return isinstance(fabric.strategy, ModelParallelStrategy)


def shard_model(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shard each block of a model, and the weights outside blocks, among the processes of a mesh, in place."""
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # outputs are not written to
    for module in reversed(list(model.modules())):
        for block in module if isinstance(module, nn.ModuleList) else ():
            fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def local_part(tensor: Tensor) -> Tensor:
    """Return this process's part of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def full_tensor(tensor: Tensor) -> Tensor:
    """Return all of a tensor; if it is sharded, every process must call this."""
    return tensor.full_tensor().detach() if isinstance(tensor, DTensor) else tensor.detach()


def distribute_like(parameter: Tensor, full: Tensor) -> Tensor:
    """Place a full tensor as a parameter of its shape is placed; if it is sharded, every process must call this."""
    if isinstance(parameter, DTensor):
        return distribute_tensor(full.to(parameter.device), parameter.device_mesh, parameter.placements)
    return full.to(parameter.device)


def meta_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model with its weights on the meta device, where they take no memory."""
    empty = {
        id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
        for parameter in model.parameters()
    }
    return copy.deepcopy(model, cast("dict[int, object]", empty))


def gather_full_model(meta_model: nn.Module, model: nn.Module) -> nn.Module:
    """Return a copy of a sharded model with all its weights, from its `meta_copy`; every process must call it."""
    gathered = copy.deepcopy(meta_model)
    gathered.load_state_dict(
        {name: full_tensor(value).clone() for name, value in model.state_dict().items()}, assign=True
    )
    return gathered.train(model.training)


def reshard(model: nn.Module) -> None:
    """Free gathered weights that a forward pass without a backward pass keeps."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
