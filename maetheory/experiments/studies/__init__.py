"""What the experiments compare: a module of cells for each study, with its figures and page beside it.

`objectives` (MAE, U-MAE, SimMIM) and `objectives_page`; `mask_ratios` and `mask_ratios_page`; `mask_laws`,
`mask_laws_page`, `mask_law_scores` and `mask_law_prediction`; `uniformity_terms` and `uniformity_sweep_page`;
`training_lengths` and `training_lengths_page`; `initialisations` and `initialisations_page`. A module of cells imports
recipes alone, a page what was measured.
"""
