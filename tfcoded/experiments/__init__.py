"""The experiments of the paper on the bandwidth-limited channel: trainings, measurements, claims, tables, figures."""
