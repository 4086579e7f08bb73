"""Filling a hole from the picture around it: PatchMatch completion from coarse to fine, and a Poisson seam.

completion.py is the whole method and names its sources; the other modules are its parts. All of it is numpy, scipy and
OpenCV on the CPU. The bits do not depend on the number of threads, nor on the processor: what decides which patch is
copied consists of additions, multiplications, divisions and comparisons in a fixed order, which every processor rounds
alike (exp, dot products and OpenCV's floating-point filters are not), see docs/decisions/0029-content-fill-2.md.
"""
