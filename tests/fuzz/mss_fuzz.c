// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP's options, arbitrary ones, held against the plain way to read them. Input: two bytes of MSS, two of what else the
 * segment holds, then up to 40 bytes of options.
 */
#include "../lib/mss_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t options[MSS_OPTIONS_BYTES] = {0};
	uint32_t count;

	if (size < 4)
		return 0;
	count = size - 4 < sizeof(options) ? size - 4 : sizeof(options);
	memcpy(options, data + 4, count);
	if (mss_find(options, count) != mss_reference_find(options, count))
		abort();
	mss_reference_check(options, count, data[2] << 8 | data[3], data[0] << 8 | data[1]);
	return 0;
}
