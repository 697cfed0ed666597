/*
 * NVIDIA's management library as medforged calls it, for a machine without
 * hardware: one idle GPU. test/vm/devices_test.go puts a device node of another
 * driver in the GPU's place, so that what MedForge does with nodes, links and
 * control groups is done for real. Types and numbers are nvml.h's.
 */
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

static int put(char *to, unsigned int size, const char *text) {
	if (strlen(text) >= size)
		return INSUFFICIENT_SIZE;
	strcpy(to, text);
	return SUCCESS;
}

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int ret) { return ret == SUCCESS ? "Success" : "Not Supported"; }
int nvmlSystemGetDriverVersion(char *to, unsigned int size) { return put(to, size, "550.54.15"); }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **device) { *device = (void *)(1UL + i); return SUCCESS; }
int nvmlDeviceGetUUID(void *device, char *to, unsigned int size) { return put(to, size, "GPU-5f1a7c2e-0000-4000-8000-000000000001"); }
int nvmlDeviceGetName(void *device, char *to, unsigned int size) { return put(to, size, "a device node in a GPU's place"); }
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long m[3]) {
	m[0] = m[1] = 80ULL << 30; /* total, free */
	m[2] = 0;                  /* used */
	return SUCCESS;
}
int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *pending) { return NOT_SUPPORTED; }
int nvmlDeviceGetUtilizationRates(void *device, unsigned int rates[2]) { rates[0] = rates[1] = 0; return SUCCESS; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius) { *celsius = 30; return SUCCESS; }
int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) { *milliwatts = 50000; return SUCCESS; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *n, void *infos) { *n = 0; return SUCCESS; }
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned int *n, void *infos) { *n = 0; return SUCCESS; }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *device, unsigned int *n, void *infos) { *n = 0; return SUCCESS; }
int nvmlEventSetCreate(void **set) { return NOT_SUPPORTED; }
