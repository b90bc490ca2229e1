//go:build unix

package histories

// Scenarios returns all of them. [KnownViolations] names those that are expected to
// fail.
func Scenarios() []Scenario {
	return []Scenario{
		redisComesBackOlder(),
		emptiedRedis(),
		stoppedRedis(),
		killedRedis(),
		pausedReplica(),
		joinAcrossAWrite(),
		lateEffect(),
		debtsDieWithTheProcess(),
		cutWriter(),
		debtsArePaidInTheDrain(),
		killedMidWrite(),
		readyzTellsOfRedis(),
		lostRedisKilled(),
		lostRedisStopped(),
	}
}
