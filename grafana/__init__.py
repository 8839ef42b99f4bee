"""What Grafana reads, and the program that writes its dashboards."""
