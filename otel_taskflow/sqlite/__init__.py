"""What every SQLite file of this package needs: connections, forks, schemas, checkpoints. Knows no table but its own."""
