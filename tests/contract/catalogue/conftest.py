from tests.contract.servers.fixtures import moto_server, s3_credentials

__all__ = ["moto_server", "s3_credentials"]
