"""The auto-scaling groups, one for each role."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from deploy.aws.access import role_of
from deploy.aws.balancers import Balancers
from deploy.aws.machines import launch_template
from deploy.aws.network import Network
from deploy.aws.options import Options, Size
from deploy.aws.roles import DOWNLOAD, UPLOAD, WORKER, Deployed
from deploy.aws.stores import Stores

HOOK = "drain"
API_MACHINE = "c7i.large"
# Much alike, so that one target fits all; many, so that Spot finds one that is not scarce.
WORKER_MACHINES = (
    "c7i.xlarge",
    "c7a.xlarge",
    "c6i.xlarge",
    "c6a.xlarge",
    "m7i.xlarge",
    "m6i.xlarge",
)

_WARM = Duration.minutes(3)  # from the start of a machine until it carries its share
_START = Duration.minutes(15)  # after which a machine that does not say it is ready never will be


class Groups(Construct):
    """Upload APIs, Download APIs and workers."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stores: Stores,
        network: Network,
        balancers: Balancers,
        options: Options,
    ) -> None:
        super().__init__(scope, id_)
        self._stores, self._network, self._balancers = stores, network, balancers
        self._options = options
        self.of = {
            role: self._group(role, size)
            for role, size in {
                UPLOAD: options.upload_apis,
                DOWNLOAD: options.download_apis,
                WORKER: options.workers,
            }.items()
        }

    def _group(self, role: Deployed, size: Size) -> autoscaling.AutoScalingGroup:
        name = group_name(self._options, role)
        group = autoscaling.AutoScalingGroup(
            self,
            role.id,
            auto_scaling_group_name=name,
            vpc=self._network.vpc,
            vpc_subnets=self._network.machines,
            **_machines(role, self._template(role, name)),
            min_capacity=size.least,
            max_capacity=size.most,
            default_instance_warmup=_WARM,
            group_metrics=[autoscaling.GroupMetrics.all()],
            signals=autoscaling.Signals.wait_for_min_capacity(timeout=_START),
            update_policy=autoscaling.UpdatePolicy.rolling_update(
                min_instances_in_service=size.least,
                max_batch_size=max(1, size.least // 2),
                pause_time=_START,
            ),
        )
        # CDK types it as any construct, or none; of a group it is the CloudFormation resource.
        group.node.default_child.override_logical_id(_logical_id(role))  # type: ignore[union-attr]
        # The first thing that a machine does is to fetch packages.
        group.node.add_dependency(self._network.connected)
        group.attach_to_application_target_group(self._balancers.targets[role])
        group.add_lifecycle_hook(
            "Drain",
            lifecycle_hook_name=HOOK,
            lifecycle_transition=autoscaling.LifecycleTransition.INSTANCE_TERMINATING,
            heartbeat_timeout=Duration.seconds(role.leaving + 60),
            default_result=autoscaling.DefaultResult.CONTINUE,
        )
        return group

    def _template(self, role: Deployed, group: str) -> ec2.LaunchTemplate:
        stack = Stack.of(self)
        return launch_template(
            stack,
            role,
            acts_as=role_of(stack, role, group, self._stores, self._options),
            group=self._network.roles[role],
            machine=API_MACHINE if role.public else WORKER_MACHINES[0],
            variables=self._variables(role, group),
            options=self._options,
        )

    def _variables(self, role: Deployed, group: str) -> Mapping[str, str]:
        """Return what boot.sh works with, the role's settings among it."""
        stack, options = Stack.of(self), self._options
        variables = {
            "ROLE": str(role.role),
            "PACKAGE": options.package,
            "SECRET": self._stores.secret,
            "LEAVING": str(role.leaving),
            "STACK": stack.stack_name,
            "GROUP_ID": _logical_id(role),
            "GROUP": group,
            "HOOK": HOOK,
            "AWS_REGION": stack.region,
            "FILMROLL_DATA": "/var/lib/filmroll",
            "FILMROLL_HOST": "0.0.0.0",
            "FILMROLL_PORT": str(role.port),
            "FILMROLL_LOG": "json",
            "FILMROLL_DRAIN_SECONDS": str(role.drain),
            "FILMROLL_BLOBS": f"s3://{self._stores.bucket}",
            "FILMROLL_CATALOG": f"dynamodb://{options.name}",
            "FILMROLL_QUEUE": f"sqs://{options.name}",
        }
        if role.public:
            variables["FILMROLL_WORKER_URL"] = self._balancers.worker_url
        if options.public_url:
            variables["FILMROLL_PUBLIC_URL"] = options.public_url
        return variables


def group_name(options: Options, role: Deployed) -> str:
    """Return the name of a role's group: known beforehand, so that rights can name it."""
    return f"{options.name}-{role.role}"


def _logical_id(role: Deployed) -> str:
    """Return by what CloudFormation knows a group, and its machines send their signals."""
    return f"{role.id}Group"


def _machines(role: Deployed, template: ec2.LaunchTemplate) -> Mapping[str, Any]:
    """Return which machines a group takes: an API's as they are, a worker's where Spot has some."""
    if role.public:
        return {"launch_template": template}
    policy = autoscaling.MixedInstancesPolicy(
        launch_template=template,
        launch_template_overrides=[
            autoscaling.LaunchTemplateOverrides(instance_type=ec2.InstanceType(machine))
            for machine in WORKER_MACHINES
        ],
        instances_distribution=autoscaling.InstancesDistribution(
            on_demand_base_capacity=1,  # where Spot has nothing at all, work goes on slowly
            on_demand_percentage_above_base_capacity=0,
            spot_allocation_strategy=autoscaling.SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
        ),
    )
    return {"mixed_instances_policy": policy, "capacity_rebalance": True}
