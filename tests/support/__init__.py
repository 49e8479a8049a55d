"""What several tests share: waiting, real servers on free ports, phones."""
