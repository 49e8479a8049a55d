"""What ``scripts/demo`` runs: one missed call on real parts, from the first ring to the CRM, with the times printed."""
