"""Where each process holds a part of every weight, the whole is asked for by all of them together."""

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
    """Return the strategy that shares weights, gradients and moments among so many processes (FSDP)."""
    return ModelParallelStrategy(shard_model, data_parallel_size=processes, tensor_parallel_size=1)


def uses_fsdp(fabric: Fabric) -> bool:
    """Whether a Fabric shares the weights among its processes.

    Raises
    ------
    InputError
        If it does so by wrapping, as Fabric's own "fsdp": names of weights would change.
    """
    if isinstance(fabric.strategy, FSDPStrategy):
        raise InputError("Fabric's strategy 'fsdp' renames weights; take fabric_of(strategy='fsdp') instead")
    return isinstance(fabric.strategy, ModelParallelStrategy)


def shard_model(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share each block of a model, and what is outside blocks, among the processes of a mesh, in place."""
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # nobody writes into an output
    for module in reversed(list(model.modules())):
        for block in module if isinstance(module, nn.ModuleList) else ():
            fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def own(tensor: Tensor) -> Tensor:
    """Return this process's part of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def full(tensor: Tensor) -> Tensor:
    """Return all of a tensor; every process must ask for a shared one."""
    return tensor.full_tensor().detach() if isinstance(tensor, DTensor) else tensor.detach()


def distribute_like(parameter: Tensor, whole: Tensor) -> Tensor:
    """Move a tensor to where a parameter of its shape is; every process must do so for a shared one."""
    if isinstance(parameter, DTensor):
        return distribute_tensor(whole.to(parameter.device), parameter.device_mesh, parameter.placements)
    return whole.to(parameter.device)


def meta_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model whose weights take no memory."""
    empty = {
        id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
        for parameter in model.parameters()
    }
    return copy.deepcopy(model, cast("dict[int, object]", empty))


def gather_full_model(skeleton: nn.Module, model: nn.Module) -> nn.Module:
    """Return a copy, made from the skeleton, with all weights of a shared model; every process must ask for it."""
    whole = copy.deepcopy(skeleton)
    whole.load_state_dict({name: full(value).clone() for name, value in model.state_dict().items()}, assign=True)
    return whole.train(model.training)


def reshard(model: nn.Module) -> None:
    """Let go of the others' parts, which a forward pass without a backward one keeps."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
