"""What the embedded server refuses, and that the refusal names the place and the remedy."""

import os
import shutil
import socket
from pathlib import Path

import pytest

import embedded_postgres as embedded
from embedded_postgres import binaries
from embedded_postgres.errors import (
    BinariesMissingError,
    ClusterMismatchError,
    EmbeddedPostgresError,
    HomeNotReachableError,
    HomeOwnedByAnotherUserError,
    PortHeldError,
)
from embedded_postgres.layout import Cluster, ClusterPaths, read_record, write_record
from embedded_postgres.reach import LONGEST_SOCKET_DIR, choose_socket_folder
from tests.support.embedded import ask, connection_record

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@pytest.fixture
def held_port(unused_port):
    with socket.create_server(("127.0.0.1", unused_port)):
        yield unused_port


def test_a_port_that_somebody_else_holds_is_refused_by_number(home, held_port):
    with pytest.raises(PortHeldError, match=rf"port {held_port} .* held by another program.*HD_PG_PORT"):
        embedded.attach(home, port=held_port)
    with embedded.running(home) as url:
        assert ask(url) == 1


def test_the_port_once_chosen_is_not_given_up_silently(fresh_home, held_port):
    paths = ClusterPaths.of(fresh_home)
    write_record(paths.cluster, Cluster(read_record(paths.cluster, Cluster).password, held_port))
    with pytest.raises(PortHeldError, match=str(held_port)):
        embedded.attach(fresh_home)


@as_root
def test_a_home_that_the_server_user_may_not_enter_is_refused_and_left_as_it_is(hd_home):
    closed = hd_home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(
        HomeNotReachableError, match=rf"may not enter {closed}, .*HD_HOME=/var/lib/hd.*chmod o\+x {closed}"
    ):
        embedded.attach(closed / "home")
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_cluster_of_another_user_is_refused(fresh_home):
    os.chown(fresh_home / "postgres", 65534, 65534)
    try:
        with pytest.raises(HomeOwnedByAnotherUserError, match="belongs to nobody"):
            embedded.attach(fresh_home)
    finally:
        os.chown(fresh_home / "postgres", 0, 0)


@as_root
def test_data_of_another_server_user_are_refused(fresh_home):
    with pytest.raises(ClusterMismatchError, match=r"chown -R nobody|HD_PG_USER"):
        embedded.attach(fresh_home, os_user="nobody")


@as_root
def test_root_as_the_server_user_is_refused(home):
    with pytest.raises(EmbeddedPostgresError, match="HD_PG_USER=root is root"):
        embedded.attach(home, os_user="root")


def test_a_lost_password_is_reported_before_anything_is_overwritten(fresh_home):
    paths = ClusterPaths.of(fresh_home)
    paths.cluster.unlink()
    with pytest.raises(ClusterMismatchError, match=r"cluster\.json.*missing or damaged"):
        embedded.attach(fresh_home)
    assert (paths.data / "PG_VERSION").exists()


def test_a_folder_that_is_no_cluster_is_not_overwritten(hd_home):
    paths = ClusterPaths.of(hd_home)
    paths.data.mkdir(parents=True)
    (paths.data / "mine.txt").write_text("keep")
    write_record(paths.cluster, Cluster("secret", 0))
    with pytest.raises(ClusterMismatchError, match="not a PostgreSQL data directory"):
        embedded.attach(hd_home)
    assert (paths.data / "mine.txt").read_text() == "keep"


def test_data_of_another_major_version_are_refused_with_both_versions(fresh_home):
    (ClusterPaths.of(fresh_home).data / "PG_VERSION").write_text("16\n")
    with pytest.raises(ClusterMismatchError, match=r"made by PostgreSQL 16.*are 18\.4"):
        embedded.attach(fresh_home)


def test_a_folder_without_programs_is_refused(tmp_path):
    with pytest.raises(BinariesMissingError, match=f"no program 'postgres' in {tmp_path}"):
        binaries.locate(tmp_path)


def test_programs_older_than_15_are_refused(tmp_path):
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(BinariesMissingError, match=r"PostgreSQL 14\.9; 15 or newer"):
        binaries.locate(tmp_path)


def test_a_path_too_long_for_a_socket_gets_a_private_folder_in_tmp_that_goes_with_the_server(hd_home):
    long = hd_home / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    with embedded.running(long) as url:
        folder = Path(connection_record(long)["socket_dir"])
        assert len(bytes(folder)) < LONGEST_SOCKET_DIR
        assert folder.stat().st_mode & 0o777 == 0o700
        assert ask(url) == 1
        embedded.stop(long)
    assert not folder.exists()


def test_a_socket_folder_that_somebody_else_made_is_refused(hd_home):
    long = hd_home / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    folder = choose_socket_folder(ClusterPaths.of(long))
    folder.mkdir(mode=0o777)
    try:
        with pytest.raises(EmbeddedPostgresError, match=f"{folder}.*made or opened by somebody else"):
            embedded.attach(long)
    finally:
        shutil.rmtree(folder)
