package fleet

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// member is a replica as Redis has it.
type member struct{ instance, name string }

// scriptAnnounce makes a replica a member of the fleet for some time, or takes it out, and
// returns all members: lines of instance, end of its time and name. The time is that of
// Redis.
//
// KEYS[1] has the members. ARGV: the instance, how long it is a member in milliseconds (0
// takes it out), its name, and how many members there may be.
const scriptAnnounce = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life, most = tonumber(ARGV[2]), tonumber(ARGV[4])
local kept = {}
for instance, till, name in string.gmatch(redis.call('GET', KEYS[1]) or '', '([%w]+) (%d+) ([%w._-]+)\n') do
	local other = instance ~= ARGV[1] and #instance <= 64 and #name <= 128
	if other and tonumber(till) > now and #kept < most - 1 then
		kept[#kept + 1] = instance .. ' ' .. till .. ' ' .. name .. '\n'
	end -- others stay
end
if life > 0 then
	kept[#kept + 1] = ARGV[1] .. ' ' .. string.format('%.0f', now + life) .. ' ' .. ARGV[3] .. '\n'
end
local all = table.concat(kept)
redis.call('SET', KEYS[1], all, 'PX', 60000)
return all
`

// announce makes this replica a member for some time; 0 takes it out. It returns all
// members, this one among them.
func (f *Fleet) announce(ctx context.Context, life time.Duration) ([]member, error) {
	var text string
	err := f.guard.Call(ctx, func(ctx context.Context) (err error) {
		text, err = f.announcing.Run(ctx, f.options.Redis, []string{f.keys.members},
			f.instance, life.Milliseconds(), f.options.Replica, strconv.Itoa(MaxMembers)).Text()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fleet: announce: %w", err)
	}
	members := parseMembers(text)
	f.members.Store(&members)
	return members, nil
}

func parseMembers(text string) []member {
	var members []member
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 3 && isToken(fields[0]) && isName(fields[2]) && len(members) < MaxMembers {
			members = append(members, member{instance: fields[0], name: fields[2]})
		}
	}
	return members
}

// maxName bounds the name of a replica.
const maxName = 128

// isName reports whether a text can be the name of a replica: it is shown to people.
func isName(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// isToken reports whether a text can be the name of an instance or of a question.
func isToken(text string) bool {
	return isName(text) && len(text) <= 64 && !strings.ContainsAny(text, "._-")
}

// announcer announces this replica until ctx ends, and then takes it out. It begins when
// this replica can hear, or has tried to: a member that is asked before would be missing.
func (f *Fleet) announcer(ctx context.Context) {
	beat := time.NewTicker(f.options.Heartbeat)
	defer beat.Stop()
	select {
	case <-f.listened:
	case <-ctx.Done():
		return
	}
	for {
		// Its loss is that of the cache, whose log says so.
		_, _ = f.announce(ctx, f.life())
		select {
		case <-beat.C:
		case <-ctx.Done():
			_, _ = f.announce(context.WithoutCancel(ctx), 0) // Others wait for it no more.
			return
		}
	}
}

// life is how long a member is one without another announcement.
func (f *Fleet) life() time.Duration { return 10 * f.options.Heartbeat }

func newAnnouncing() *redis.Script { return redis.NewScript(scriptAnnounce) }
