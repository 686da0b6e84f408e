"""Linear masked autoencoder, whose optimum is known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maetheory.core import InputError


class LinearMAE(nn.Module):
    """Linear encoder E and decoder B that predict hidden values from visible ones, x ↦ (BEx₁)[hidden].

    There is no bias; hidden values enter as 0. Under one fixed mask the best B and E are a reduced-rank regression,
    `theory.linear-mae-optimum`. Over random masks the best full-rank matrix solves a least-squares problem for each of
    its rows, `theory.shared-linear-mae-optimum`; for smaller latent dimensions no closed form is known.

    Parameters
    ----------
    input_dim : int
        Values of an image, D; a patch mask is repeated over the values of a patch.
    latent_dim : int, optional
        Features k of an encoder E (k, D) and a decoder B (D, k); by default one full-rank matrix W (D, D).

    Attributes
    ----------
    encoder, decoder : Parameter
        E and B; without `latent_dim` the identity, which is not trained, and W.

    Raises
    ------
    InputError
        If a dimension is below 1.

    Examples
    --------
    >>> model = LinearMAE(2)
    >>> with torch.no_grad():
    ...     _ = model.decoder.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    >>> images, visible = torch.tensor([[1.0, 2.0]]), torch.tensor([True, False])
    >>> model(images, visible).tolist(), model.loss(images, visible).item()
    ([[0.0, 2.0]], 0.0)
    """

    def __init__(self, input_dim: int, latent_dim: int | None = None) -> None:
        super().__init__()
        if input_dim < 1 or (latent_dim is not None and latent_dim < 1):
            raise InputError(f"input_dim and latent_dim must be at least 1, but they are {input_dim} and {latent_dim}")
        self.encoder = nn.Parameter(
            torch.eye(input_dim) if latent_dim is None else torch.empty(latent_dim, input_dim),
            requires_grad=latent_dim is not None,
        )
        self.decoder = nn.Parameter(torch.empty(input_dim, input_dim if latent_dim is None else latent_dim))
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
        """Return E‖x₂ − (BEx₁)[hidden]‖², a scalar: the mean over images of the sum over hidden values."""
        return (torch.where(visible, 0.0, images) - self(images, visible)).square().sum(1).mean()
