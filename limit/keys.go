package limit

// keys are the keys of an account as the scripts know them:
//
//	KEYS[1]  slots    sorted set: who holds a slot, until when (milliseconds)
//	KEYS[2]  closed   hash: until, reason, eases, advice, about
//	KEYS[3]  breaker  hash: failures (in a row), until; reason, advice and about of the last
//	KEYS[4]  rate     string: when the calls that were let through are all paid for,
//	                  in seconds since rateEpoch
//
// Every key has a TTL, so that an account nobody uses leaves nothing behind.
// What is valid goes by the times in the values alone, because the in-process
// Redis does not count TTLs down. Workers of the releases before use the same keys:
// names and values are as those write them.
func keys(account string) []string {
	return []string{slotsKey(account), key(account, "closed"), key(account, "breaker"), rateKey(account)}
}

// key puts the account in a hash tag: all its keys lie in one slot of a cluster.
func key(account, name string) string { return "easel:limit:{" + account + "}:" + name }

func slotsKey(account string) string { return key(account, "places") }

func rateKey(account string) string { return "rate:" + key(account, "rate") }
