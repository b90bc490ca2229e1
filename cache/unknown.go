package cache

import "time"

// UnknownOutcomeGrace is how long after its end a write whose outcome is unknown
// counts as open: it may take effect until then.
const UnknownOutcomeGrace = 30 * time.Second
