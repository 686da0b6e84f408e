"""Mutation tests of the rooms whose numbers are claims: a loosened guard or error term must turn a test red.

``make mutants`` draws a sample of small mistakes (:mod:`operators`, :mod:`population`), plants one at a time in a copy
of the tree (:mod:`tree`), runs the tests that execute the changed line (:mod:`covering_tests`, :mod:`trial`), and keeps
every outcome in a session file, so that a run that was stopped or killed continues where it was (:mod:`session`).
:mod:`report` writes the score and the survivors; ``equivalent.toml`` says which mutants no test can see, and why.

Mutations and session files are those of cosmic-ray. Its own runner mutates in place, runs the same command for every
mutant, does not sample, and starts a new interpreter each time, which costs five seconds of imports here; mutmut does
not mutate constants of a module and has no operators of one's own. So the choice of mutants, the copy, the selection of
tests and the forked test run are ours.
"""
