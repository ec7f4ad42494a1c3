/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weights 1..1000 -> the kernel's next hop weights 1..256, in ratios as near as these allow. Pure.
 *
 * Called by routes when it fills a nexthop group.
 */
#ifndef LOADER_ROUTE_WEIGHTS_H
#define LOADER_ROUTE_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#define ROUTE_WEIGHT_MAX 256u /* all kernels know; 65,536 only from Linux 6.12 on */

/*
 * Ratios are exact where integers of 1..256 can express them; else the scale is chosen by which the largest error of
 * any single share is least. No weight becomes 0.
 */
void route_weights_scale(const uint32_t *weights, size_t count, uint16_t *ret_scaled);

#endif
