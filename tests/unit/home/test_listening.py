import socket

from farm.home.listening import inode_of, listeners


def test_who_listens_at_a_port_is_known_and_who_only_speaks_there_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert listeners(port) == {inode_of(first)}
        assert listeners(second.getsockname()[1]) == {inode_of(second)}
    assert listeners(port) == set()
