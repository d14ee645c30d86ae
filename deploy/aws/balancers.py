"""Two load balancers: by URL to the APIs, and inside to the workers.

The inner one is an application balancer, too. A network balancer would choose per connection, of
which an API keeps few to its workers; names in DNS would still lead to a worker whose waiting line
is full.
"""

from aws_cdk import Duration
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from deploy.aws.network import INNER_PORT, Network
from deploy.aws.options import Options
from deploy.aws.roles import DOWNLOAD, ROLES, UPLOAD, WORKER, Deployed

DELIVERY = ["/i", "/i/*"]
_IDLE = Duration.seconds(120)  # longer than a caller waits for a picture that is made for it


class Balancers(Construct):
    """The outer and the inner balancer, and a target group for each role."""

    def __init__(self, scope: Construct, id_: str, network: Network, options: Options) -> None:
        super().__init__(scope, id_)
        self.targets = {role: self._target_group(network, role) for role in ROLES}
        self.outer = elb.ApplicationLoadBalancer(
            self,
            "Outer",
            vpc=network.vpc,
            internet_facing=True,
            security_group=network.balancer,
            idle_timeout=_IDLE,
            drop_invalid_header_fields=True,
        )
        self.inner = elb.ApplicationLoadBalancer(
            self,
            "Inner",
            vpc=network.vpc,
            vpc_subnets=network.machines,
            internet_facing=False,
            security_group=network.inner_balancer,
            idle_timeout=_IDLE,
            drop_invalid_header_fields=True,
        )
        self.inner.add_listener(
            "Http",
            port=INNER_PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            open=False,
            default_target_groups=[self.targets[WORKER]],
        )
        self.listener = self._listen(options)

    @property
    def worker_url(self) -> str:
        """Return where the APIs find the workers."""
        return f"http://{self.inner.load_balancer_dns_name}"

    def _listen(self, options: Options) -> elb.ApplicationListener:
        """Take /i and /i/* to the Download APIs, the rest to the Upload APIs."""
        listener = self.outer.add_listener(
            "Public",
            port=443 if options.certificate else 80,
            protocol=None if options.certificate else elb.ApplicationProtocol.HTTP,
            certificates=[elb.ListenerCertificate.from_arn(options.certificate)]
            if options.certificate
            else None,
            ssl_policy=elb.SslPolicy.RECOMMENDED_TLS if options.certificate else None,
            open=False,
            default_target_groups=[self.targets[UPLOAD]],
        )
        listener.add_target_groups(
            "Delivery",
            priority=10,
            conditions=[elb.ListenerCondition.path_patterns(DELIVERY)],
            target_groups=[self.targets[DOWNLOAD]],
        )
        if options.certificate:
            self.outer.add_redirect(open=False)
        return listener

    def _target_group(self, network: Network, role: Deployed) -> elb.ApplicationTargetGroup:
        return elb.ApplicationTargetGroup(
            self,
            role.id,
            vpc=network.vpc,
            port=role.port,
            protocol=elb.ApplicationProtocol.HTTP,
            target_type=elb.TargetType.INSTANCE,
            deregistration_delay=Duration.seconds(role.deregistration),
            load_balancing_algorithm_type=(
                elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS
            ),
            health_check=elb.HealthCheck(
                path="/readyz",
                healthy_http_codes="200",
                interval=Duration.seconds(10),
                timeout=Duration.seconds(6),  # a look at the stores takes five at the most
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        )
