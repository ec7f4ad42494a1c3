/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hop weights. See route_weights.h.
 */
#include "route_weights.h"

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	uint32_t rest;

	while (b) {
		rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* The weight on a scale where the greatest is top: rounded, at least 1. */
static uint32_t scale(uint32_t weight, uint32_t greatest, uint32_t top)
{
	uint32_t scaled = (uint32_t)(((uint64_t)weight * top * 2 + greatest) / ((uint64_t)greatest * 2));

	return scaled ? scaled : 1;
}

/* The largest error of any share on this scale, relative to the share. */
static double scale_error(const uint32_t *weights, size_t count, uint32_t greatest, uint32_t top)
{
	double sum = 0, scaled_sum = 0, worst = 0, error;
	size_t i;

	for (i = 0; i < count; i++) {
		sum += weights[i];
		scaled_sum += scale(weights[i], greatest, top);
	}
	for (i = 0; i < count; i++) {
		error = scale(weights[i], greatest, top) / scaled_sum / (weights[i] / sum) - 1;
		if (error < 0)
			error = -error;
		if (error > worst)
			worst = error;
	}
	return worst;
}

void route_weights_scale(const uint32_t *weights, size_t count, uint16_t *ret_scaled)
{
	uint32_t divisor = 0, greatest = 1, top, best_top = ROUTE_WEIGHT_MAX;
	double best = -1, error;
	size_t i;

	for (i = 0; i < count; i++) {
		divisor = common_divisor(weights[i], divisor);
		if (weights[i] > greatest)
			greatest = weights[i];
	}
	if (divisor && greatest / divisor <= ROUTE_WEIGHT_MAX) {
		for (i = 0; i < count; i++)
			ret_scaled[i] = weights[i] / divisor;
		return;
	}
	for (top = ROUTE_WEIGHT_MAX; top >= ROUTE_WEIGHT_MAX / 2; top--) {
		error = scale_error(weights, count, greatest, top);
		if (best < 0 || error < best) {
			best = error;
			best_top = top;
		}
	}
	for (i = 0; i < count; i++)
		ret_scaled[i] = scale(weights[i], greatest, best_top);
}
