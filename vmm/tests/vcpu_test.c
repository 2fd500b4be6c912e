/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs that KVM refuses, and the words for what ends them. What they do when KVM
 * does not refuse is in machine_test.c, with a guest.
 */
#include "unit.h"
#include "vcpu.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void died(void *ctx, const char *what)
{
	(void)ctx, (void)what;
}

static bool fault(void *ctx, unsigned int *met)
{
	(void)ctx, (void)met;
	return false;
}

static const struct vcpu_ops ops = { died, fault };

static unsigned int entries(const char *folder)
{
	DIR *d = opendir(folder);
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned int nfds(void)
{
	return entries("/proc/self/fd");
}

static unsigned int nthreads(void)
{
	return entries("/proc/self/task");
}

/* Nothing is left behind: no descriptor, no thread. */
static void test_refused(void **state)
{
	const unsigned int threads = nthreads();
	struct vm vm = { .nvcpus = 3 };
	struct vcpus c;
	unsigned int fds;

	(void)state;
	vm.kvm_fd = vm.vm_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(vm.vm_fd >= 0);
	fds = nfds();
	assert_int_equal(vcpus_create(&c, &vm, &ops, NULL), -ENOTTY);
	assert_int_equal(nfds(), fds);
	assert_int_equal(nthreads(), threads);
	close(vm.vm_fd);
}

/* A VM of KVM's that is used up: it has a vCPU of that number. */
static void test_taken(void **state)
{
	const unsigned int threads = nthreads();
	struct vcpus first, second;
	struct vm vm = { .vm_fd = -1 };
	const char *why;
	unsigned int fds;

	(void)state;
	if (vm_create(&vm, 2, &why)) {
		print_message("skipped: %s\n", why);
		skip();
	}
	assert_int_equal(vcpus_create(&first, &vm, &ops, NULL), 0);
	fds = nfds();
	assert_int_equal(vcpus_create(&second, &vm, &ops, NULL), -EEXIST);
	assert_int_equal(nfds(), fds);
	vcpus_pause_soon(&first);
	vcpus_wait_parked(&first);
	vcpus_destroy(&first);
	vm_destroy(&vm);
	assert_int_equal(nthreads(), threads);
}

static void test_names(void **state)
{
	(void)state;
	for (int e = 0; e < VCPU_EXITS; e++) {
		const char *name = vcpu_exit_name((enum vcpu_exit)e);

		assert_non_null(name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"),
				 strlen(name));
		for (int o = 0; o < e; o++)
			assert_string_not_equal(
				name, vcpu_exit_name((enum vcpu_exit)o));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
