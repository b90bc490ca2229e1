//go:build unix

package histories

// Scenarios returns all of them.
func Scenarios() []Scenario {
	return []Scenario{
		nothingWrong(),
		redisComesBackOlder(),
		emptiedRedis(),
		stoppedRedis(),
		killedRedis(),
		fullRedis(),
		pausedReplica(),
		cutReader(),
		joinAcrossAWrite(),
		lateEffect(),
		lateEffectForgotten(),
		debtsDieWithTheProcess(),
		cutWriter(),
		debtsArePaidInTheDrain(),
		killedMidWrite(),
		readyzTellsOfRedis(),
		lostRedisKilled(),
		lostRedisStopped(),
	}
}
