package histories

// KnownViolations are the scenarios that are expected to fail, with the reason. One
// that passes fails the test, so that its line is removed with the mechanism that
// makes it pass.
func KnownViolations() map[string]string {
	return map[string]string{
		"RedisComesBackOlder":    "a Redis that was set back is taken for the same one by a replica that did not see the write",
		"StoppedRedis":           "others take an answer from Redis before the writer has told it of its write",
		"PausedReplica":          "isolation is counted from when the silence is noticed",
		"JoinAcrossAWrite":       "the version of a flight does not move while the bus is down",
		"LateEffect":             "tags are closed as soon as the outcome is unknown",
		"DebtsDieWithTheProcess": "nothing tells Redis that a replica died with debts",
		"CutWriter":              "nothing tells Redis that a replica has debts which it cannot pay",
		"DebtsArePaidInTheDrain": "a drain does not wait for debts",
		"ReadyzTellsOfRedis":     "a replica notices a lost Redis by its own calls alone",
		"LostRedisKilled":        "a bucket begins empty, so that the first call of each endpoint waits for half a minute",
		"LostRedisStopped":       "a bucket begins empty, so that the first call of each endpoint waits for half a minute",
		"KilledMidWrite":         "a write is open for its own lease of minutes, not for that of its replica",
	}
}
