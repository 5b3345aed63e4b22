# SPDX-License-Identifier: Apache-2.0
"""A statistical battery for random generators: the 15 tests of GB/T 32915-2016.

special    the incomplete gamma function      sample      bits, and what a test says
counts     frequency, cumulative sums         patterns    poker, serial, entropy
runs       runs, their lengths, the longest   structure   rank, linear complexity
waves      derivative, correlation, Fourier, universal
battery    all of them over one sample        judgement   over many samples
sources    where bits come from               check       both rounds, on all cores

Where GM/T 0005-2021 corrects its predecessor, the correction is taken: Q-values and
their uniformity, tails of the run distribution, runs of zeros, the variance of the
Fourier test. Needs numpy. Nothing here runs inside an enclave.
"""
