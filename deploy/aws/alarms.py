"""Alarms for what people have to look at, and a dashboard of what they look at then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.aws.balancers import Balancers
from deploy.aws.groups import group_name
from deploy.aws.options import Options
from deploy.aws.roles import ROLES
from deploy.aws.stores import METRICS
from filmroll.catalog.dynamodb.schema import definition
from filmroll.model import Lane
from filmroll.queues.sqs.definitions import dead_name, lane_name

# How old the oldest message of a lane may be, in seconds: bulk is worked off over hours.
AGES = {Lane.INTERACTIVE: 120, Lane.BULK: 4 * 3600, Lane.IO: 900}
ERRORS = 25  # answers of 5xx in five minutes

_PERIOD = Duration.minutes(5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A metric and what is too much of it."""

    id: str
    metric: cloudwatch.Metric
    limit: float  # at and above it there is an alarm
    periods: int = 1
    meaning: str


class Alarms(Construct):
    """The alarms, the topic that they are told by, and the dashboard."""

    def __init__(
        self, scope: Construct, id_: str, balancers: Balancers, bucket: str, options: Options
    ) -> None:
        super().__init__(scope, id_)
        topic = sns.Topic(self, "Topic", display_name=f"Filmroll {options.name}")
        if options.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
        parts = {
            "Queues": [*_queues(options)],
            "Balancers": [*_balancers(balancers)],
            "Table": [*_table(options)],
            "Bucket": [*_bucket(bucket)],
        }
        for watch in (watch for part in parts.values() for watch in part):
            self._alarm(watch).add_alarm_action(actions.SnsAction(topic))
        self._dashboard(parts, options)
        CfnOutput(Stack.of(self), "AlarmTopic", value=topic.topic_arn)

    def _alarm(self, watch: Watch) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            watch.id,
            metric=watch.metric,
            threshold=watch.limit,
            evaluation_periods=watch.periods,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            # Most of these are only counted when there is something to count.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=watch.meaning,
        )

    def _dashboard(self, parts: Mapping[str, Iterable[Watch]], options: Options) -> None:
        board = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=f"{options.name}-{Stack.of(self).region}"
        )
        for title, watches in parts.items():
            board.add_widgets(_graph(title, [watch.metric for watch in watches]))
        for title, metric, namespace in (
            ("Machines", "GroupInServiceInstances", "AWS/AutoScaling"),
            ("CPU", "CPUUtilization", "AWS/EC2"),
        ):
            names = [group_name(options, role) for role in ROLES]
            board.add_widgets(
                _graph(
                    title,
                    [_metric(namespace, metric, AutoScalingGroupName=name) for name in names],
                )
            )


def _queues(options: Options) -> Iterable[Watch]:
    for lane, age in AGES.items():
        queue, dead = lane_name(options.name, lane), dead_name(options.name, lane)
        oldest, visible = "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"
        yield Watch(
            id=f"{lane.title()}Age",
            metric=_metric("AWS/SQS", oldest, "Maximum", QueueName=queue),
            limit=age,
            meaning=f"The oldest job of the lane {lane} waits longer than it should.",
        )
        yield Watch(
            id=f"{lane.title()}Dead",
            metric=_metric("AWS/SQS", visible, "Maximum", QueueName=dead),
            limit=1,
            meaning=f"A job of the lane {lane} was given up: see docs/aws.md.",
        )


def _balancers(balancers: Balancers) -> Iterable[Watch]:
    for name, balancer in {"Outer": balancers.outer, "Inner": balancers.inner}.items():
        dimensions = {"LoadBalancer": balancer.load_balancer_full_name}
        yield Watch(
            id=f"{name}Errors",
            metric=_metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", **dimensions),
            limit=ERRORS,
            meaning="The balancer answers by itself: it finds nobody to send requests to.",
        )
    for role, targets in balancers.targets.items():
        balancer = balancers.outer if role.public else balancers.inner
        dimensions = {
            "LoadBalancer": balancer.load_balancer_full_name,
            "TargetGroup": targets.target_group_full_name,
        }
        yield Watch(
            id=f"{role.id}Errors",
            metric=_metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", **dimensions),
            limit=ERRORS,
            meaning=f"{role.role} answers with 5xx; 503 says that it is overloaded.",
        )
        yield Watch(
            id=f"{role.id}Unhealthy",
            metric=_metric("AWS/ApplicationELB", "UnHealthyHostCount", "Minimum", **dimensions),
            limit=1,
            periods=2,
            meaning=f"A machine of {role.role} has not been ready for ten minutes.",
        )


def _table(options: Options) -> Iterable[Watch]:
    indexes = [it["IndexName"] for it in definition(options.name)["GlobalSecondaryIndexes"]]
    for index in (None, *indexes):
        dimensions = {"TableName": options.name}
        if index is not None:
            dimensions["GlobalSecondaryIndexName"] = index
        for kind in ("Read", "Write"):
            yield Watch(
                id=f"{(index or 'table').title()}{kind}Throttles",
                metric=_metric("AWS/DynamoDB", f"{kind}ThrottleEvents", "Sum", **dimensions),
                limit=1,
                periods=3,
                meaning="DynamoDB goes on refusing requests; an index that does stops its table.",
            )


def _bucket(bucket: str) -> Iterable[Watch]:
    yield Watch(
        id="BucketErrors",
        metric=_metric("AWS/S3", "5xxErrors", "Sum", BucketName=bucket, FilterId=METRICS),
        limit=ERRORS,
        meaning="S3 fails or says SlowDown: load grows faster than it spreads the bucket.",
    )


def _metric(
    namespace: str, name: str, statistic: str = "Average", **dimensions: str
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        period=_PERIOD,
        dimensions_map=dimensions,
    )


def _graph(title: str, metrics: list[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=24, height=6)
