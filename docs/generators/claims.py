"""The claim of each statement in LaTeX, by the statement's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_MAE, _UMAE, _SPEC, _ALIGN, _ASYM = (
    rf"\mathcal{{L}}_{{\mathrm{{{name}}}}}" for name in ("MAE", "U\\text{-}MAE", "spec", "align", "asym")
)
_RESIDUAL = r"\|(I - P_F) Y\|_F^2"

LATEX: Mapping[str, str] = MappingProxyType(
    {
        "reconstruction-bounds-asymmetric-alignment": rf"{_MAE}(h) \ge {_ASYM}(h) - \varepsilon + 1",
        "asymmetric-alignment-bounds-alignment": (rf"{_ASYM}(h) \ge \tfrac12 {_ALIGN}(h) - \tfrac12"),
        "reconstruction-bounds-alignment": rf"{_MAE}(h) \ge \tfrac14 \mathbb{{E}}\|h - h^+\|^2 - \varepsilon",
        "reconstruction-bounds-encoder-alignment": (
            rf"{_MAE}(h) \ge \frac{{\mathbb{{E}}\|f - f^+\|^2}}{{4L}} - \varepsilon"
        ),
        "full-collapse-costs-variance": rf"f \equiv c \implies {_MAE}(h) \ge \mathrm{{Var}}(x_2)",
        "full-collapse-costs-variance-given-the-mask": (
            rf"f \equiv c \implies {_MAE}(h) \ge \mathbb{{E}}_m \mathrm{{Var}}(x_2 \mid m)"
        ),
        "spectral-contrast-is-factorisation": rf"{_SPEC}(f) = \|\bar A - F F^\top\|_F^2 - \|\bar A\|_F^2",
        "spectral-contrast-is-bounded-by-eigenvalues": rf"{_SPEC}(f) \ge -\sum_{{i \le k}} \lambda_i^2",
        "umae-bounds-spectral-contrast": (
            rf"{_UMAE}(h) \ge \frac{{{_SPEC}(f)}}{{4L}} + \frac{{\mathbb{{E}}\|f\|^2}}{{2L}} - \varepsilon"
            r", \quad \lambda = \frac{1}{4L}"
        ),
        "umae-bounded-by-graph-tail": (
            rf"{_UMAE}(h) \ge \frac{{1}}{{4L}} \sum_{{i > k}} \lambda_i^2 - \varepsilon"
            r" - \frac{1}{4L} \sum_i \lambda_i^2"
        ),
        "factorisation-bounds-probe-residual": (
            rf"{_RESIDUAL} \le \left(\sqrt{{p_{{\max}}}}\, \|\bar A - F F^\top\|_F + \sqrt{{\varphi}}\right)^2"
        ),
        "probe-residual-bounds-view-error": rf"\Pr[\hat y(x_1) \ne y(x_1)] \le 2 {_RESIDUAL}",
        "probe-residual-bounds-image-error": rf"\Pr[\mathrm{{vote}} \ne y(\bar x)] \le 4 {_RESIDUAL} + 2\alpha",
        "umae-bounds-downstream-error": (
            rf"\Pr[p_f \ne y] \le 32\, p_{{\max}} L\, {_UMAE} + 8\varphi + 2\alpha"
            r" + 32\, p_{\max} L \varepsilon + 8\, p_{\max} \|\bar A\|_F^2"
        ),
        "umae-downstream-bound-exceeds-six": (
            r"8\, p_{\max} \|\bar A\|_F^2 + 8\varphi \ge 8 (1 - \varphi + \varphi^2) \ge 6"
        ),
        "pair-error-bounded-by-label-errors": r"\varphi \le 2\alpha + 2\alpha_2",
        "alignment-split": (
            rf"{_MAE}(h) = \tfrac12 \mathbb{{E}}\|h - h^+\|^2 + \mathbb{{E}}\|\mathbb{{E}}[h \mid x_2] - x_2\|^2"
        ),
        "reconstruction-bounds-encoder-alignment-sharply": (rf"{_MAE}(h) \ge \frac{{\mathbb{{E}}\|f - f^+\|^2}}{{2L}}"),
        "excess-factorisation-bounded-by-umae": (
            r"\|\bar A - w F F^\top\|_F^2 - \sum_{i > k} \lambda_i^2 \le"
            rf" w \left(2L\, {_UMAE}(h) - 2\,\mathbb{{E}}\|f\|^2\right) + \sum_{{i \le k}} \lambda_i^2"
            r", \quad w = 2L\lambda"
        ),
        "irreducible-split": (
            rf"{_MAE}(h) = \mathbb{{E}}\,\mathrm{{Var}}(x_2 \mid x_1)"
            r" + \mathbb{E}\|h - \mathbb{E}[x_2 \mid x_1]\|^2"
        ),
        "perfect-alignment-is-constant-on-components": (
            r"\mathbb{E}\|h - h^+\|^2 \ge 2 (1 - \lambda_{c+1})\, \mathbb{E}\|h - \bar h\|^2"
        ),
        "constant-on-components-is-perfect-alignment": r"\mathbb{E}\|h - h^+\|^2 \le 2\, \mathbb{E}\|h - \bar h\|^2",
        "aligned-features-have-rank-of-components": (
            r"\mathbb{E}\|f - f^+\|^2 = 0 \implies \mathrm{rank}(F) \le c, \quad c \text{ components}"
        ),
        "effective-rank-grows-with-uniformity": (
            rf"{_UMAE}(h) \ge \lambda \sum_i s_i^2 + \frac1L \sum_i s_i (1 - \lambda_i)"
        ),
        "effective-rank-of-the-minimiser-grows": (
            r"\lambda' \ge \lambda \implies \mathrm{erank}(F_{\lambda'}) \ge \mathrm{erank}(F_\lambda)"
        ),
        "participation-ratio-of-the-minimiser-grows": (
            r"\lambda' \ge \lambda \implies \mathrm{PR}(F_{\lambda'}) \ge \mathrm{PR}(F_\lambda)"
        ),
        "stable-rank-of-the-minimiser-grows": (
            r"\lambda' \ge \lambda \implies \mathrm{srank}(F_{\lambda'}) \ge \mathrm{srank}(F_\lambda)"
        ),
        "spectral-features-bound-downstream-error": rf"{_RESIDUAL} \le \frac{{\varphi}}{{1 - \lambda_{{k+1}}}}",
        "downstream-error-averages-over-components": (
            rf"{_RESIDUAL} \le \sum_c \frac{{p_c\, \varphi_c}}{{1 - \lambda^{{(c)}}_{{k_c + 1}}}}"
            r", \quad F \text{ the leading eigenvectors of each component}"
        ),
        "excess-loss-bounds-downstream-error": (
            rf"{_RESIDUAL} \le \left(\sqrt{{\frac{{\varphi}}{{1 - \lambda_{{k'+1}}}}}}"
            r" + \sqrt{\frac{p_{\max} \Delta''}{\lambda_{k'}^2 - \lambda_{k+1}^2}}\right)^2"
        ),
        "certificate-bounds-downstream-error": (
            rf"{_RESIDUAL} \le \min_{{\mu \ge 0}}\; \mu\varphi"
            r" + \sum_c p_{(c)}\, \nu_c\bigl((I - P_F) - \mu (I - \bar A)\bigr)"
        ),
        "votes-beat-views-when-errors-scatter": (
            r"\Pr[\mathrm{vote} \ne y(\bar x)] \le \frac{e_2 - e^2}{e_2 - e + \frac14}"
        ),
        "label-error-alone-is-not-enough": (
            r"\alpha = \alpha' = 0,\; \text{same label-free quantities, yet residuals that differ by } 1 - \tfrac1r"
        ),
        "pair-error-lower-bound": r"\varphi \ge 1 - \sum_c p_{(c)} \lambda_c",
        "data-processing-shrinks-spectrum": r"\lambda_{\min}\bigl(\bar A_M - \bar A_{MK}\bigr) \ge 0",
        "channels-on-both-sides-shrink-singular-values": r"\max_{i \ge 2} \sigma_i(\text{processed}) - \sigma_i \le 0",
        "data-processing-raises-pair-error": r"\varphi(M) \le \varphi(MK)",
        "linear-decoder-optimum": rf"{_MAE}(f W) \ge \|X_2\|_F^2 - \sum_{{i \le k}} s_i(\bar A_M X_2)^2",
        "linear-decoder-optimum-given-features": rf"{_MAE}(f W) \ge \|X_2\|_F^2 - \|P_F \bar A_M X_2\|_F^2",
        "linear-decoder-loss": rf"{_MAE}(h) = \|X_2\|_F^2 - \|\bar A_M X_2\|_F^2 + \|H - \bar A_M X_2\|_F^2",
        "linear-mae-optimum": r"\mathbb{E}\|x_2 - B E x_1\|^2 \ge \|X_2\|_F^2 - \sum_{i \le k} s_i(Q^\top X_2)^2",
        "shared-linear-mae-optimum": (
            r"\mathbb{E}_m \mathbb{E}\|(I - P_m)(x - W P_m x)\|^2 \ge"
            r" \mathbb{E}_m \mathbb{E}\|(I - P_m)(x - W^* P_m x)\|^2"
        ),
        "shared-linear-mae-bounded-mask-by-mask": (
            r"\mathbb{E}_m \mathbb{E}\|(I - P_m)(x - B E P_m x)\|^2"
            r" \ge \mathbb{E}_m \min_{\mathrm{rank} \le k} \mathcal{L}_m"
        ),
        "all-pixel-linear-mae-loss": (
            r"\mathbb{E}_R \mathbb{E}\|x - W (R \odot x)\|^2 = \mathbb{E}\|x - (1 - m) W x\|^2"
            r" + m (1 - m) \sum_b \mathbb{E}\|W x_b\|^2"
        ),
        "all-pixel-linear-mae-optimum": (
            r"\mathbb{E}_R \mathbb{E}\|x - B E (R \odot x)\|^2 \ge \mathrm{tr}\, C"
            r" - (1 - m) \sum_{i \le k} \mu_i\bigl(C V^+ C\bigr), \quad V = (1 - m) C + m\, \mathrm{blockdiag}\, C"
        ),
        "uniformity-approximates-coding-rate": (
            r"\log\det\bigl(I + F^\top F / \mu\bigr) \ge \frac{\mathbb{E}\|f\|^2}{\mu}"
            r" - \frac{\mathcal{L}_{\mathrm{unif}}(f)}{2\mu^2}"
        ),
        "uniformity-approximates-coding-rate-from-above": (
            r"\log\det\bigl(I + F^\top F / \mu\bigr) \le \frac{\mathbb{E}\|f\|^2}{\mu}"
            r" - \frac{\mathcal{L}_{\mathrm{unif}}(f)}{2\mu^2} + \frac{\mathrm{tr}\,(F^\top F)^3}{3\mu^3}"
        ),
        "mask-ratio-duality": (
            r"M_{1-\rho} = M_\rho^\top, \quad \sigma_i(1-\rho) = \sigma_i(\rho), \quad \alpha(\rho) = \alpha_2(1-\rho)"
        ),
        "label-error-grows-with-mask-ratio": r"\rho \le \rho' \implies \alpha(\rho) \le \alpha(\rho')",
        "sampled-spectrum-concentrates": (r"\max_i |\hat\sigma_i - \sigma_i| \le \|\hat{\bar A}_M - \bar A_M\|_2"),
        "unseen-component-costs-one": r"\|\hat{\bar A}_M - \bar A_M\|_2 \ge 1",
        "sampled-spectrum-is-biased-upward": (
            r"\mathbb{E} \sum_i \hat\sigma_i^2 - \sum_i \sigma_i^2"
            r" = \frac{(\mathbb{E} \hat N_1 - 1)(\mathbb{E} \hat N_2 - 1)}{n - 1}"
        ),
        "gaussian-components-are-independent": (
            r"x \sim \mathcal{N}(0, C) \text{ in the eigenbasis of } C \implies \sum_{i \ge 2} \sigma_i^2 = 0"
        ),
        "correlated-coefficients-of-gaussians-are-predictable": (
            r"\sum_{i \ge 2} \sigma_i^2 \ge \max_{i \in V,\, j \in H} \frac{r_{ij}^2}{1 - r_{ij}^2}"
        ),
    }
)
