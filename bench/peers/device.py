"""Where a job computes, the CPU unless it says. On a GPU what is queued has to be waited for, and memory is what is allocated there."""
import torch
from serve import memory_of, restart_peak


class Device:
    def __init__(self, job):
        self.name = job.get("device", "cpu")
        self.on_gpu = self.name != "cpu"

    def facts(self):
        facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        return {**facts, "device": torch.cuda.get_device_name(self.name)} if self.on_gpu else facts

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize(self.name)

    def restart_peak(self):
        """Counts the highest memory from here on; returns the present one."""
        if not self.on_gpu:
            return restart_peak()
        self.wait()
        torch.cuda.reset_peak_memory_stats(self.name)
        return torch.cuda.memory_allocated(self.name)

    def peak(self):
        return torch.cuda.max_memory_allocated(self.name) if self.on_gpu else memory_of("VmHWM")
