// What native code refuses of a request before any work.
#pragma once
#include "shape.h"
#include "troupe.h"

namespace troupe {

/// Throws BadInput for the first request that is not valid: text "request i …".
void checkRequests(const TrRequests&, const Shape&, bool hasVocabulary);

}  // namespace troupe
