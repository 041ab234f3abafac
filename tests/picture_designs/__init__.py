"""Test designs, made from nothing: files of every kind a shop or an attacker may send, and pictures to print."""
