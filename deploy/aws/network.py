"""The network: two zones, gateways for S3 and DynamoDB, and who may talk to whom."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from deploy.aws.options import Options
from deploy.aws.roles import ROLES

CIDR = "10.40.0.0/16"
INNER_PORT = 80  # where the workers' balancer listens


class Network(Construct):
    """A network of its own. What goes to S3 and DynamoDB takes their gateways, which are free."""

    def __init__(self, scope: Construct, id_: str, options: Options) -> None:
        super().__init__(scope, id_)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(CIDR),
            max_azs=2,
            nat_gateways=options.nat_gateways,
            subnet_configuration=_subnets(options),
            restrict_default_security_group=False,  # nobody is in it
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
                ),
            },
        )
        of = ec2.SubnetType.PRIVATE_WITH_EGRESS if options.nat_gateways else ec2.SubnetType.PUBLIC
        self.machines = ec2.SubnetSelection(subnet_type=of)
        # What has to be there before a machine reaches anything outside.
        self.connected = self.vpc.select_subnets(subnet_type=of).internet_connectivity_established
        self._add_groups(443 if options.certificate else 80)

    def _add_groups(self, port: int) -> None:
        """Let the world reach the balancer, the balancer the APIs, these the workers, no more."""
        world = [_from("0.0.0.0/0", each) for each in sorted({80, port})]
        self.balancer = self._group("Balancer", world, inward=True)
        self.roles = {
            role: self._group(role.id, [_within(self.balancer, role.port)])
            for role in ROLES
            if role.public
        }
        apis = [_within(group, INNER_PORT) for group in self.roles.values()]
        self.inner_balancer = self._group("InnerBalancer", apis, inward=True)
        self.roles |= {
            role: self._group(role.id, [_within(self.inner_balancer, role.port)])
            for role in ROLES
            if not role.public
        }

    def _group(
        self,
        id_: str,
        ingress: Sequence[ec2.CfnSecurityGroup.IngressProperty],
        *,
        inward: bool = False,
    ) -> ec2.ISecurityGroup:
        """Make a group with its rules in it; ``inward``: it talks to this network alone."""
        egress = ec2.CfnSecurityGroup.EgressProperty(
            ip_protocol="tcp" if inward else "-1",
            from_port=min(role.port for role in ROLES) if inward else None,
            to_port=max(role.port for role in ROLES) if inward else None,
            cidr_ip=self.vpc.vpc_cidr_block if inward else "0.0.0.0/0",
        )
        group = ec2.CfnSecurityGroup(
            self,
            f"{id_}Group",
            group_description=f"Filmroll: {id_}",
            vpc_id=self.vpc.vpc_id,
            security_group_ingress=list(ingress),
            security_group_egress=[egress],
        )
        return ec2.SecurityGroup.from_security_group_id(
            self, id_, group.attr_group_id, mutable=False
        )


def _subnets(options: Options) -> list[ec2.SubnetConfiguration]:
    public = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=20)
    private = ec2.SubnetConfiguration(
        name="Machines", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
    )
    return [public, private] if options.nat_gateways else [public]


def _from(cidr: str, port: int) -> ec2.CfnSecurityGroup.IngressProperty:
    return ec2.CfnSecurityGroup.IngressProperty(
        ip_protocol="tcp", from_port=port, to_port=port, cidr_ip=cidr
    )


def _within(group: ec2.ISecurityGroup, port: int) -> ec2.CfnSecurityGroup.IngressProperty:
    return ec2.CfnSecurityGroup.IngressProperty(
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        source_security_group_id=group.security_group_id,
    )
