"""A linear masked autoencoder is one matrix times what is seen: its optimum is known, so training is tested on it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maetheory.core import InputError


class LinearMAE(nn.Module):
    """x ↦ (BEx₁)[hidden] without a bias: what is hidden enters as 0, and only hidden values are predicted.

    Under one fixed mask the best B and E are a reduced-rank regression, `theory.linear-mae-optimum`. Over random masks
    one matrix of full rank serves all of them, and the best one is a least-squares problem for each of its rows,
    `theory.shared-linear-mae-optimum`; at a smaller width no closed form is known.

    Parameters
    ----------
    size : int
        Values of an image, D; a patch mask is repeated over the values of a patch.
    width : int, optional
        Features k of an encoder E (k, D) and a decoder B (D, k); without, one matrix W (D, D) of full rank.

    Attributes
    ----------
    encoder, decoder : Parameter
        E and B; of full rank, the identity, which is not trained, and W.

    Raises
    ------
    InputError
        If size or width is below 1.

    Examples
    --------
    >>> model = LinearMAE(2)
    >>> with torch.no_grad():
    ...     _ = model.decoder.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    >>> images, visible = torch.tensor([[1.0, 2.0]]), torch.tensor([True, False])
    >>> model(images, visible).tolist(), model.loss(images, visible).item()
    ([[0.0, 2.0]], 0.0)
    """

    def __init__(self, size: int, width: int | None = None) -> None:
        super().__init__()
        if size < 1 or (width is not None and width < 1):
            raise InputError(f"size and width must be at least 1, but they are {size} and {width}")
        self.encoder = nn.Parameter(
            torch.eye(size) if width is None else torch.empty(width, size), requires_grad=width is not None
        )
        self.decoder = nn.Parameter(torch.empty(size, size if width is None else width))
        for matrix in (self.encoder, self.decoder):
            if matrix.requires_grad:
                nn.init.xavier_uniform_(matrix)

    def features(self, images: Tensor, visible: Tensor) -> Tensor:
        """Return Ex₁, shape (B, k), of flattened images (B, D) under masks (D,) or (B, D), True = visible."""
        return torch.where(visible, images, 0.0) @ self.encoder.T  # (B, D) @ (D, k) -> (B, k)

    def forward(self, images: Tensor, visible: Tensor) -> Tensor:
        """Predict hidden values, shape (B, D), 0 where visible; arguments as for `features`.

        Raises
        ------
        InputError
            If images are not (B, D), or masks are not boolean (D,) or (B, D).
        """
        size = self.encoder.shape[1]
        if images.ndim != 2 or images.shape[1] != size:
            raise InputError(f"images must be flattened to (B, {size}), but their shape is {tuple(images.shape)}")
        if visible.dtype != torch.bool or visible.shape not in ((size,), images.shape):
            raise InputError(
                f"the mask must be boolean of shape ({size},) or {tuple(images.shape)}, but it is "
                f"{visible.dtype} {tuple(visible.shape)}"
            )
        predicted = self.features(images, visible) @ self.decoder.T  # (B, k) @ (k, D) -> (B, D)
        return torch.where(visible, 0.0, predicted)

    def loss(self, images: Tensor, visible: Tensor) -> Tensor:
        """Return E‖x₂ − (BEx₁)[hidden]‖², a scalar: the mean over images of a sum over hidden values, as the theory."""
        return (torch.where(visible, 0.0, images) - self(images, visible)).square().sum(1).mean()
