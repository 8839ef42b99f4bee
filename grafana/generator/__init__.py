"""Writes the dashboards of ``grafana/dashboards`` as Grafana's classic JSON."""
