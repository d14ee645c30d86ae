"""What the groups grow by. Each shrinks when all its policies agree to."""

from aws_cdk import aws_autoscaling as autoscaling
from constructs import Construct

from deploy.aws.balancers import Balancers
from deploy.aws.groups import Groups, group_name
from deploy.aws.options import Options
from deploy.aws.roles import DOWNLOAD, UPLOAD, WORKER, Deployed
from filmroll.model import Lane
from filmroll.queues.sqs.definitions import lane_name

Tracking = autoscaling.CfnScalingPolicy.TargetTrackingConfigurationProperty
Predefined = autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty
Customized = autoscaling.CfnScalingPolicy.CustomizedMetricSpecificationProperty
Query = autoscaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty
Stat = autoscaling.CfnScalingPolicy.TargetTrackingMetricStatProperty
Metric = autoscaling.CfnScalingPolicy.MetricProperty
Dimension = autoscaling.CfnScalingPolicy.MetricDimensionProperty

# First guesses, a half of what two cores did in docs/benchmarks.md or less: S3 is further away than
# a disk. Measure yours.
CPU = {UPLOAD: 50, DOWNLOAD: 50, WORKER: 70}  # %; people wait for the APIs
NETWORK = (
    3.5e9  # bytes a minute: 60 % of the 0.78 Gbit/s that a c7i.large has for as long as it runs
)
REQUESTS = {UPLOAD: 12_000, DOWNLOAD: 60_000}  # a minute, of each machine
JOBS = 60  # a second, of each worker
# How many seconds a job may wait before there are to be more workers.
PATIENCE = {Lane.INTERACTIVE: 10, Lane.BULK: 300, Lane.IO: 60}


class Scaling(Construct):
    """A policy for each thing that can run short."""

    def __init__(
        self, scope: Construct, id_: str, groups: Groups, balancers: Balancers, options: Options
    ) -> None:
        super().__init__(scope, id_)
        self._groups, self._balancers, self._options = groups, balancers, options
        for role, percent in CPU.items():
            self._track(role, "Cpu", percent, Predefined(predefined_metric_type=_CPU))
        for role, direction in {UPLOAD: "In", DOWNLOAD: "Out"}.items():
            bytes_ = Predefined(predefined_metric_type=f"ASGAverageNetwork{direction}")
            self._track(role, "Network", NETWORK, bytes_)
        for role, requests in REQUESTS.items():
            self._track(role, "Requests", requests, self._requests(role))
        for lane, patience in PATIENCE.items():
            self._track(WORKER, f"Backlog{lane.title()}", JOBS * patience, self._backlog(lane))

    def _track(
        self, role: Deployed, what: str, target: float, metric: Predefined | Customized
    ) -> None:
        predefined = isinstance(metric, Predefined)
        policy = autoscaling.CfnScalingPolicy(
            self,
            f"{role.id}{what}",
            auto_scaling_group_name=self._groups.of[role].auto_scaling_group_name,
            policy_type="TargetTrackingScaling",
            target_tracking_configuration=Tracking(
                target_value=target,
                predefined_metric_specification=metric if predefined else None,
                customized_metric_specification=None if predefined else metric,
            ),
        )
        # Requests to targets cannot be counted before a listener leads to them.
        policy.node.add_dependency(self._balancers.listener)

    def _requests(self, role: Deployed) -> Predefined:
        targets = self._balancers.targets[role].target_group_full_name
        return Predefined(
            predefined_metric_type="ALBRequestCountPerTarget",
            resource_label=f"{self._balancers.outer.load_balancer_full_name}/{targets}",
        )

    def _backlog(self, lane: Lane) -> Customized:
        """Return how many messages wait in a lane for each worker that is at work."""
        queue = lane_name(self._options.name, lane)
        group = group_name(self._options, WORKER)
        waiting = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue)
        workers = ("AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", group)
        ratio = Query(id="backlog", expression="waiting / workers", return_data=True)
        return Customized(metrics=[_query("waiting", *waiting), _query("workers", *workers), ratio])


_CPU = "ASGAverageCPUUtilization"


def _query(id_: str, namespace: str, metric: str, dimension: str, value: str) -> Query:
    of = Metric(
        namespace=namespace,
        metric_name=metric,
        dimensions=[Dimension(name=dimension, value=value)],
    )
    return Query(id=id_, metric_stat=Stat(metric=of, stat="Average"), return_data=False)
