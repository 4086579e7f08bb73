"""Muon for matrices and convolutions; Adam stays beside it for the rest.

Taken up for what others report of it, few samples being what we have; it costs a quarter of a step of batch 20 here.
A comparison with Adam alone on this task was cut short by a busy machine and is still owed.
"""

import torch

# coefficients of the quintic Newton-Schulz iteration, from Keller Jordan's description of Muon
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalised(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest (half-)orthogonal matrix, roughly: all singular values near 1. (m, n) -> (m, n)."""
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose direction is orthogonalised; parameters of two or more dimensions."""

    def __init__(self, parameters, lr: float = 1e-3, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["momentum"])

    def _move(self, parameter: torch.Tensor, lr: float, momentum: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average = state["momentum"].lerp_(parameter.grad, 1 - momentum)
        direction = parameter.grad.lerp(average, momentum).flatten(1)
        rows, columns = direction.shape
        # 0.2 sqrt(longer side) gives the step the size Adam's has, so both share one learning rate
        change = orthogonalised(direction) * (0.2 * max(rows, columns) ** 0.5)
        parameter.add_(change.view_as(parameter), alpha=-lr)
