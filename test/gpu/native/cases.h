// The groups of tests; each runs with one kernel set.
#pragma once
#include "check.h"
#include "kernels.h"

void testProductsOf(const troupe::Kernels&, troupe::Format);
void testRowsOf(const troupe::Kernels&);
void testAttentionOf(const troupe::Kernels&);
/// The whole engine through its C interface, several threads at once; with the set that TROUPE_KERNELS names, or the best.
void testEngine();
/// Tensors between files and arrays; no kernel set takes part.
void testFiles();
