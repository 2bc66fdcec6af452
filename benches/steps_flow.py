"""Four steps that do nothing, as a flow of Metaflow: the peer of the four steps in `steps.py`."""

from metaflow import FlowSpec, step


class StepsFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.second)

    @step
    def second(self):
        self.next(self.third)

    @step
    def third(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    StepsFlow()
