"""Constructors of finite worlds, most of them with closed-form spectra or label errors.

The patches of a world are independent given a class (`class_mixture`), independent (`independent_patches`), a Markov
chain (`markov_chain`), what a hidden chain emits (`hidden_chain`), copies of one another (`identical_patches`),
quantised Gaussians (`quantised_gaussian_patches`), or the leaves of a tree (`tree_of_latents`); `quantised_images`
makes a world of a small set of images, and `random_states` draws states, probabilities and labels at random. `states`
is shared by all. Each docstring states what is known in closed form.

>>> from maetheory.data import worlds
>>> world = worlds.mixture(n_patches=3, alphabet=2, n_classes=2, noise=0.1)
>>> world.states.shape, world.n_classes
((8, 3), 2)
"""

from maetheory.data.finite_world import FiniteWorld
from maetheory.data.worlds.class_mixture import mixture
from maetheory.data.worlds.hidden_chain import hidden_markov
from maetheory.data.worlds.identical_patches import duplicates
from maetheory.data.worlds.independent_patches import independent
from maetheory.data.worlds.markov_chain import markov
from maetheory.data.worlds.quantised_gaussian_patches import gaussian
from maetheory.data.worlds.quantised_images import from_images
from maetheory.data.worlds.random_states import random
from maetheory.data.worlds.states import all_states
from maetheory.data.worlds.tree_of_latents import hierarchy

__all__ = [
    "FiniteWorld",
    "all_states",
    "duplicates",
    "from_images",
    "gaussian",
    "hidden_markov",
    "hierarchy",
    "independent",
    "markov",
    "mixture",
    "random",
]
