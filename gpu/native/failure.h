// The one exception of the native code. It never crosses the C interface: troupe.cc turns it into a status and a text.
#pragma once
#include <string>
#include <utility>

#include "troupe.h"

namespace troupe {

struct Failure {
  TrStatus status;
  std::string text;
  Failure(TrStatus s, std::string t) : status(s), text(std::move(t)) {}
};

}  // namespace troupe
