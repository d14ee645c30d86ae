"""The app: a stack for what is kept, one for what runs. ``cdk`` starts it; see docs/aws.md."""

from typing import Any

from aws_cdk import App, CfnOutput, DefaultStackSynthesizer, Stack
from constructs import Construct

from deploy.aws.alarms import Alarms
from deploy.aws.balancers import Balancers
from deploy.aws.groups import Groups
from deploy.aws.network import Network
from deploy.aws.options import Options
from deploy.aws.scaling import Scaling
from deploy.aws.stores import Stores


class Service(Stack):
    """Network, balancers, machines, alarms: nothing here is missed when it is made anew."""

    def __init__(
        self, scope: Construct, id_: str, stores: Stores, options: Options, **settings: Any
    ) -> None:
        super().__init__(scope, id_, **settings)
        network = Network(self, "Network", options)
        balancers = Balancers(self, "Balancers", network, options)
        groups = Groups(
            self, "Groups", stores=stores, network=network, balancers=balancers, options=options
        )
        Scaling(self, "Scaling", groups, balancers, options)
        Alarms(self, "Alarms", balancers, stores.bucket, options)
        address = options.public_url or f"http://{balancers.outer.load_balancer_dns_name}"
        CfnOutput(self, "Url", value=address)
        CfnOutput(self, "BalancerName", value=balancers.outer.load_balancer_dns_name)


def build(app: App) -> tuple[Stores, Service]:
    """Put both stacks into an app, as its context says."""
    options = Options.of(app)
    stores = Stores(
        app,
        "Stores",
        options,
        stack_name=f"{options.name}-stores",
        termination_protection=True,
        synthesizer=_synthesizer(),
    )
    service = Service(
        app,
        "Service",
        stores,
        options,
        stack_name=f"{options.name}-service",
        synthesizer=_synthesizer(),
    )
    service.add_stack_dependency(stores)  # tables and queues are known by name alone
    return stores, service


def _synthesizer() -> DefaultStackSynthesizer:
    """Leave out the check of the bootstrap's version: `cdk deploy` makes it, too."""
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


def main() -> None:
    """Write the templates where the CDK wants them."""
    app = App()
    build(app)
    app.synth()


if __name__ == "__main__":
    main()
