// cudaprobe uses a GPU by CUDA's driver API and needs no CUDA toolkit: it loads
// libcuda.so.1 when it runs, and its kernel is PTX that the driver compiles.
//
//   cudaprobe run MIB            allocate, run the kernel, compare every number
//   cudaprobe hold MIB SECONDS   then keep the memory and compute on
//   cudaprobe fault              write where nothing is, as a wrong program does
//
// The kernel takes each thread's number through ROUNDS steps of a linear
// congruential generator, which the host does too: equal results mean that the
// GPU computed. It prints one line about the device, and what failed.
// The functions are those of the CUDA driver API reference; the suffix _v2
// names the versions since CUDA 3.2 and 4.0.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *ptx_body =
	".address_size 64\n"
	".visible .entry mix(.param .u64 out, .param .u32 n, .param .u32 rounds)\n"
	"{\n"
	".reg .pred %p<3>;\n"
	".reg .b32 %r<9>;\n"
	".reg .b64 %rd<5>;\n"
	"ld.param.u64 %rd1, [out];\n"
	"ld.param.u32 %r1, [n];\n"
	"ld.param.u32 %r2, [rounds];\n"
	"mov.u32 %r3, %ntid.x;\n"
	"mov.u32 %r4, %ctaid.x;\n"
	"mov.u32 %r5, %tid.x;\n"
	"mad.lo.s32 %r6, %r4, %r3, %r5;\n"
	"setp.ge.u32 %p1, %r6, %r1;\n"
	"@%p1 bra DONE;\n"
	"mov.u32 %r7, %r6;\n"
	"mov.u32 %r8, 0;\n"
	"LOOP:\n"
	"setp.ge.u32 %p2, %r8, %r2;\n"
	"@%p2 bra STORE;\n"
	"mad.lo.u32 %r7, %r7, 1664525, 1013904223;\n"
	"add.u32 %r8, %r8, 1;\n"
	"bra LOOP;\n"
	"STORE:\n"
	"cvta.to.global.u64 %rd2, %rd1;\n"
	"mul.wide.u32 %rd3, %r6, 4;\n"
	"add.s64 %rd4, %rd2, %rd3;\n"
	"st.global.u32 [%rd4], %r7;\n"
	"DONE:\n"
	"ret;\n"
	"}\n";

enum { ROUNDS = 1000, BLOCK = 256 };

typedef int (*fn)(); // each is called with what its reference page says
static void *lib;

static fn need(const char *name)
{
	fn f = (fn)dlsym(lib, name);
	if (!f) {
		printf("cudaprobe: %s is not in libcuda.so.1\n", name);
		exit(1);
	}
	return f;
}

static void check(int code, const char *what)
{
	const char *name = "";
	if (code == 0)
		return;
	fn get = (fn)dlsym(lib, "cuGetErrorName");
	if (get)
		get(code, &name);
	printf("cudaprobe: %s failed: %d %s\n", what, code, name);
	exit(1);
}

// load compiles the kernel for the oldest architecture that the driver takes.
static void *load(void)
{
	const char *targets[] = {"sm_50", "sm_70", "sm_75"};
	char text[4096];
	void *module = NULL;
	int code = 1;
	for (size_t i = 0; i < sizeof targets / sizeof *targets && code != 0; i++) {
		snprintf(text, sizeof text, ".version 6.4\n.target %s\n%s", targets[i], ptx_body);
		code = need("cuModuleLoadData")(&module, text);
	}
	check(code, "compiling the kernel");
	return module;
}

static uint32_t mixed(uint32_t x)
{
	for (int i = 0; i < ROUNDS; i++)
		x = x * 1664525u + 1013904223u;
	return x;
}

static void launch(void *kernel, uint64_t out, uint32_t n, uint32_t rounds)
{
	void *args[] = {&out, &n, &rounds};
	check(need("cuLaunchKernel")(kernel, (n + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0, NULL, args, NULL), "starting the kernel");
	check(need("cuCtxSynchronize")(), "running the kernel");
}

static void describe(int device, int count)
{
	char name[128] = "";
	unsigned char u[16] = {0};
	check(need("cuDeviceGetName")(name, (int)sizeof name, device), "reading the device's name");
	check(need("cuDeviceGetUuid")(u, device), "reading the device's UUID");
	printf("devices=%d name=\"%s\" uuid=GPU-", count, name);
	for (int i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

int main(int argc, char **argv)
{
	int hold = argc == 4 && !strcmp(argv[1], "hold");
	int fault = argc == 2 && !strcmp(argv[1], "fault");
	if (!hold && !fault && !(argc == 3 && !strcmp(argv[1], "run"))) {
		fprintf(stderr, "usage: cudaprobe run MIB | cudaprobe hold MIB SECONDS | cudaprobe fault\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	size_t bytes = fault ? 1 << 20 : (size_t)atoll(argv[2]) << 20;
	lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!lib) {
		printf("cudaprobe: %s\n", dlerror());
		return 1;
	}
	int device, count = 0;
	void *context, *kernel;
	uint64_t memory = 0;
	check(need("cuInit")(0), "cuInit");
	check(need("cuDeviceGetCount")(&count), "counting devices");
	check(need("cuDeviceGet")(&device, 0), "taking device 0");
	describe(device, count);
	check(need("cuCtxCreate_v2")(&context, 0, device), "making a context");
	void *module = load();
	check(need("cuModuleGetFunction")(&kernel, module, "mix"), "finding the kernel");
	check(need("cuMemAlloc_v2")(&memory, bytes), "allocating memory");

	uint32_t n = (uint32_t)(bytes / 4 < (1u << 20) ? bytes / 4 : 1u << 20), wrong = 0;
	if (fault)
		launch(kernel, memory + (1ull << 40), n, 1); // ends with 700, CUDA_ERROR_ILLEGAL_ADDRESS
	uint32_t *got = calloc(n, 4);
	if (!got || n == 0)
		return 1;
	check(need("cuMemsetD32_v2")(memory, 0, (size_t)n), "clearing memory");
	launch(kernel, memory, n, ROUNDS);
	check(need("cuMemcpyDtoH_v2")(got, memory, (size_t)n * 4), "reading the results");
	for (uint32_t i = 0; i < n; i++)
		wrong += got[i] != mixed(i);
	printf(" allocated_mib=%zu numbers=%u wrong=%u\n", bytes >> 20, n, wrong);
	if (wrong)
		return 1;
	if (hold) {
		printf("holding\n");
		for (time_t end = time(NULL) + atoll(argv[3]); time(NULL) < end;)
			launch(kernel, memory, n, 200000);
	}
	check(need("cuMemFree_v2")(memory), "freeing memory");
	check(need("cuCtxDestroy_v2")(context), "ending the context");
	return 0;
}
