// Written by tools/mixin.py from alerts/rules/*.yml: change those, then run python -m tools.mixin
{
  "groups": [
    {
      "name": "porwatch-outflow",
      "rules": [
        {
          "alert": "PorwatchUnexplainedOutflow",
          "expr": "max by (chain, wallet, tier, asset) (porwatch_unexplained_outflow unless on (job, instance) porwatch_shadow == 1) > 0\nor on (chain, tier)\nmax by (chain, tier) (porwatch_open_cases{rule=\"unexplained_outflow\"} unless on (job, instance) porwatch_shadow == 1) > 0\n",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "outflow",
            "rule": "unexplained_outflow"
          },
          "annotations": {
            "summary": "Assets left a wallet and no approval explains it.",
            "description": "{{ if $labels.wallet }}About {{ $value }} {{ $labels.asset }} left the {{ $labels.tier }} wallet {{ $labels.wallet }} on {{ $labels.chain }} without an approval.{{ else }}{{ $value }} open case(s) of amount zero in {{ $labels.tier }} wallets on {{ $labels.chain }}: a transaction that moved nothing but its fee was signed without an approval.{{ end }} The exact amount, destinations and transaction are in the case. Check whether an approval is missing in the books before anything else leaves the wallet.",
            "runbook_url": "/runbooks/PorwatchUnexplainedOutflow",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchColdWithoutApproval",
          "expr": "max by (chain, tier) (porwatch_open_cases{rule=\"cold_without_approval\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "outflow",
            "rule": "cold_without_approval"
          },
          "annotations": {
            "summary": "A cold wallet signed a transaction that nobody approved.",
            "description": "{{ $value }} open case(s) in {{ $labels.tier }} wallets on {{ $labels.chain }}: a cold wallet signed without an approval. A transaction of value zero counts too. Check who held the signing keys.",
            "runbook_url": "/runbooks/PorwatchColdWithoutApproval",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchOutsideWindow",
          "expr": "max by (chain, tier) (porwatch_open_cases{rule=\"outside_window\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "outflow",
            "rule": "outside_window"
          },
          "annotations": {
            "summary": "A cold wallet moved outside every announced and confirmed ceremony.",
            "description": "{{ $value }} open case(s) in {{ $labels.tier }} wallets on {{ $labels.chain }}: a cold wallet that needs a confirmed window moved outside of one, approved or not. Check who held the signing keys.",
            "runbook_url": "/runbooks/PorwatchOutsideWindow",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchResidual",
          "expr": "max by (chain, wallet) (porwatch_residual_open unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "outflow",
            "rule": "residual"
          },
          "annotations": {
            "summary": "A balance on the node is not what the recorded movements give.",
            "description": "Wallet {{ $labels.wallet }} on {{ $labels.chain }}: opening plus movements does not give the balance that the node reports. Something moved by a way that no movement shows, or the node gives a wrong balance. Compare the account with a second endpoint at the block named in the case.",
            "runbook_url": "/runbooks/PorwatchResidual",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchSequenceGap",
          "expr": "max by (chain, wallet) (porwatch_sequence_gap_open unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "outflow",
            "rule": "sequence_gap"
          },
          "annotations": {
            "summary": "The chain's own counter of a wallet moved by more than what was seen.",
            "description": "Wallet {{ $labels.wallet }} on {{ $labels.chain }}: its nonce, or its set of unspent coins, is not what the blocks that porwatch has read give. Something was signed or spent that no block showed, or an endpoint hides it. Look at the addresses named in the case with a second endpoint.",
            "runbook_url": "/runbooks/PorwatchSequenceGap",
            "dashboard_url": "/d/porwatch-security"
          }
        }
      ]
    },
    {
      "name": "porwatch-control",
      "rules": [
        {
          "alert": "PorwatchAlteredApproval",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"altered_approval\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "control",
            "rule": "altered_approval"
          },
          "annotations": {
            "summary": "An approval came a second time with other content.",
            "description": "{{ $value }} open case(s): an approval with a known id and other content was refused. Check who writes to the approvals source, and whether the destination or the amount was changed.",
            "runbook_url": "/runbooks/PorwatchAlteredApproval",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchBadApprovalSignature",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"bad_approval_signature\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "control",
            "rule": "bad_approval_signature"
          },
          "annotations": {
            "summary": "An approval has no valid signature.",
            "description": "{{ $value }} open case(s): an approval without a signature of a configured key was refused. Check who writes to the approvals source, and whether a key was changed without telling porwatch.",
            "runbook_url": "/runbooks/PorwatchBadApprovalSignature",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchEndpointLies",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"endpoint_lies\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "control",
            "rule": "endpoint_lies"
          },
          "annotations": {
            "summary": "An endpoint gave an answer that is provably false.",
            "description": "{{ $value }} open case(s) on {{ $labels.chain }}: the endpoint is not asked any more, and the case names the evidence file. Critical means that too few endpoints are left to agree. Send the file to its operator.",
            "runbook_url": "/runbooks/PorwatchEndpointLies",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchInventoryGap",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"inventory_gap\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "control",
            "rule": "inventory_gap"
          },
          "annotations": {
            "summary": "Addresses of a wallet are about to lie outside the watch list.",
            "description": "{{ $value }} open case(s) on {{ $labels.chain }}: a descriptor's range is nearly used up, and nothing behind its end is watched. Make gap_limit or range longer and restart porwatch.",
            "runbook_url": "/runbooks/PorwatchInventoryGap",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchControlDrift",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"control_drift\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "control",
            "rule": "control_drift"
          },
          "annotations": {
            "summary": "What controls an asset or an address is not what it was.",
            "description": "{{ $value }} open case(s) on {{ $labels.chain }}: the case names the asset and what changed behind its address. Ask the issuer whether this upgrade is theirs, and what it does to balances.",
            "runbook_url": "/runbooks/PorwatchControlDrift",
            "dashboard_url": "/d/porwatch-security"
          }
        }
      ]
    },
    {
      "name": "porwatch-compliance",
      "rules": [
        {
          "alert": "PorwatchCheckBreach",
          "expr": "max by (profile, check, asset) (porwatch_check_breached unless on (job, instance) porwatch_shadow == 1) > 0\nor on ()\nmax(porwatch_open_cases{rule=\"check_breach\"} unless on (job, instance) porwatch_shadow == 1) > 0\n",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "critical",
            "category": "compliance",
            "rule": "check_breach"
          },
          "annotations": {
            "summary": "A check of an active profile is in breach.",
            "description": "{{ if $labels.check }}Check {{ $labels.check }} of profile {{ $labels.profile }}{{ if $labels.asset }} for {{ $labels.asset }}{{ end }} is BREACH.{{ else }}{{ $value }} case(s) of a breach are open although no check reads BREACH now.{{ end }} Operands, threshold and margin are in the verdict. Check the holdings, the liabilities and their as-of time.",
            "runbook_url": "/runbooks/PorwatchCheckBreach",
            "dashboard_url": "/d/porwatch-regulator"
          }
        },
        {
          "alert": "PorwatchWindowDressing",
          "expr": "max by (severity) (porwatch_open_cases{rule=\"window_dressing\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "compliance",
            "rule": "window_dressing"
          },
          "annotations": {
            "summary": "Assets came in shortly before a close and left shortly after it.",
            "description": "{{ $value }} open case(s): within a day before a close customer wallets took in assets that left them within a day after it. Ask what the round trips named in the case were for.",
            "runbook_url": "/runbooks/PorwatchWindowDressing",
            "dashboard_url": "/d/porwatch-regulator"
          }
        }
      ]
    },
    {
      "name": "porwatch-quality",
      "rules": [
        {
          "alert": "PorwatchCheckUnverified",
          "expr": "max by (profile, check, asset) (max_over_time(porwatch_check_unverified[5m])) > 0\nor\n(\n  group by (profile, check, asset) (last_over_time(porwatch_check_unverified[1d]))\n  unless on (profile, check, asset)\n  group by (profile, check, asset) (last_over_time(porwatch_check_unverified[5m]))\n)\nand on () group(last_over_time(porwatch_build_info[5m]))\n",
          "for": "15m",
          "labels": {
            "severity": "warning",
            "category": "quality"
          },
          "annotations": {
            "summary": "A check could not be determined.",
            "description": "Check {{ $labels.check }} of profile {{ $labels.profile }}{{ if $labels.asset }} for {{ $labels.asset }}{{ end }} is UNVERIFIED or gone. It is not a pass. The reason is in the verdict: usually old books, a quorum that was not reached, or holdings that only one endpoint claims.",
            "runbook_url": "/runbooks/PorwatchCheckUnverified",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchApprovalsBlind",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"approvals_blind\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "quality",
            "rule": "approvals_blind"
          },
          "annotations": {
            "summary": "The approvals source has fallen silent.",
            "description": "{{ $value }} open case(s): no heartbeat says that the approvals are complete, so outflows of hot wallets cannot be explained. The case counts the unmatched outflows. Check the system that writes approvals.",
            "runbook_url": "/runbooks/PorwatchApprovalsBlind",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchShadowEnded",
          "expr": "max by (severity) (porwatch_open_cases{rule=\"shadow_ended\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "quality",
            "rule": "shadow_ended"
          },
          "annotations": {
            "summary": "The shadow has ended, and cases page from now on.",
            "description": "{{ $value }} open case(s): porwatch was configured to tell nobody until this day, and now tells of all that is open. Critical means that critical cases are among it. porwatch shadow prints what it showed.",
            "runbook_url": "/runbooks/PorwatchShadowEnded",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchDeepReorg",
          "expr": "max by (severity, chain, tier) (porwatch_open_cases{rule=\"deep_reorg\"} unless on (job, instance) porwatch_shadow == 1) > 0",
          "for": "0m",
          "keep_firing_for": "10m",
          "labels": {
            "severity": "{{ $labels.severity }}",
            "category": "quality",
            "rule": "deep_reorg"
          },
          "annotations": {
            "summary": "A chain replaced blocks that counted as final.",
            "description": "{{ $value }} open case(s) on {{ $labels.chain }}: a reorganisation went deeper than the configured finality. Stop crediting deposits of that chain and compare the endpoints.",
            "runbook_url": "/runbooks/PorwatchDeepReorg",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchChainBlind",
          "expr": "group by (chain) (\n  porwatch_open_cases{chain!=\"\"}\n  or\n  last_over_time(porwatch_last_success_timestamp_seconds{stage=\"follow\"}[1d])\n)\nunless on (chain)\nabs(time() - max by (chain) (porwatch_last_success_timestamp_seconds{stage=\"follow\"})) <= 120\n",
          "for": "1m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "porwatch does not see a chain.",
            "description": "{{ $labels.chain }} was not followed successfully in the last two minutes. An outflow there would not be seen. Check the endpoints of the chain. The cursor stands still and catches up by itself.",
            "runbook_url": "/runbooks/PorwatchChainBlind",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchCursorBehind",
          "expr": "max by (chain) (max_over_time(porwatch_head_height[5m] offset 5m))\n- max by (chain) (last_over_time(porwatch_cursor_height[5m])) > 0\n",
          "for": "5m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "Blocks that the nodes have are not yet followed.",
            "description": "{{ $value }} block(s) of {{ $labels.chain }} that the nodes had five minutes ago are not followed yet. Outflows are seen late. Expected while a long gap is caught up, otherwise one block cannot be read.",
            "runbook_url": "/runbooks/PorwatchCursorBehind",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchNodeHeadStalled",
          "expr": "time() - max by (chain) (last_over_time(porwatch_block_timestamp_seconds[5m])) > 7200\nor\n(time() - max by (chain) (last_over_time(porwatch_block_timestamp_seconds[5m])) > 300)\n> on (chain)\n12 * (\n  max by (chain) (max_over_time(porwatch_block_timestamp_seconds[1d]))\n  - min by (chain) (min_over_time(porwatch_block_timestamp_seconds[1d]))\n)\n/ on (chain) (\n  max by (chain) (max_over_time(porwatch_cursor_height[1d]))\n  - min by (chain) (min_over_time(porwatch_cursor_height[1d]))\n)\n",
          "for": "5m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "The newest followed block of a chain is old.",
            "description": "The newest followed block of {{ $labels.chain }} is {{ $value | humanizeDuration }} old. Either the nodes no longer receive blocks, or the chain stands still. Compare the head with a public explorer.",
            "runbook_url": "/runbooks/PorwatchNodeHeadStalled",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchCycleStale",
          "expr": "time() - max(porwatch_last_success_timestamp_seconds{stage=\"cycle\"}) > 300\nor\nabsent(max(porwatch_last_success_timestamp_seconds{stage=\"cycle\"}))\n",
          "for": "5m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "No cycle has ended with a verdict.",
            "description": "For at least five minutes no cycle ended successfully, so holdings, residuals of untouched accounts and checks are those of the last good cycle. Check the quorum of every chain and the log of the cycle.",
            "runbook_url": "/runbooks/PorwatchCycleStale",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchBooksStale",
          "expr": "(\n  group by (source) (last_over_time(porwatch_books_timestamp_seconds{source=~\"liabilities|prices\"}[1d]))\n  unless on (source)\n  time() - max by (source) (porwatch_books_timestamp_seconds) <= 93600\n)\nor\n(\n  group by (source) (last_over_time(porwatch_books_timestamp_seconds{source=\"funds\"}[1d]))\n  unless on (source)\n  time() - max by (source) (porwatch_books_timestamp_seconds) <= 3456000\n)\nor\ntime() - max(porwatch_last_success_timestamp_seconds{stage=\"books\"}) > 900\nand on () group(porwatch_books_records_total)\n",
          "for": "5m",
          "labels": {
            "severity": "warning",
            "category": "quality"
          },
          "annotations": {
            "summary": "Declared records are too old.",
            "description": "{{ if $labels.source }}The last good {{ $labels.source }} are older than their max_age, or are no longer reported.{{ else }}The books were not read successfully in the last 15 minutes.{{ end }} Checks that need them become UNVERIFIED. Check the system that writes them and the lines that porwatch refused.",
            "runbook_url": "/runbooks/PorwatchBooksStale",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchBooksMalformed",
          "expr": "max by (source) (increase(porwatch_books_malformed_total[1h])) > 0\nor\nmax by (source) (porwatch_books_malformed_total > 0 unless porwatch_books_malformed_total offset 1h)\n",
          "for": "0m",
          "labels": {
            "severity": "warning",
            "category": "quality"
          },
          "annotations": {
            "summary": "A line of the books was refused.",
            "description": "At least one line of {{ $labels.source }} was malformed within the last hour and was not used. The log and the API name the line. Correct it at the system that wrote it.",
            "runbook_url": "/runbooks/PorwatchBooksMalformed",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchDeliveryStuck",
          "expr": "time() - min by (receiver) (porwatch_outbox_oldest_timestamp_seconds > 0) > 300\nor\n(\n  group by (receiver) (last_over_time(porwatch_outbox_pending[1d]))\n  unless on (receiver)\n  group by (receiver) (last_over_time(porwatch_outbox_pending[5m]))\n)\nand on () group(last_over_time(porwatch_build_info[5m]))\n",
          "for": "1m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "porwatch cannot deliver its alerts.",
            "description": "Alerts to {{ $labels.receiver }} wait for more than five minutes, or the receiver is no longer reported. Nothing is lost, but cases arrive only by this second path. Check that the receiver is reachable.",
            "runbook_url": "/runbooks/PorwatchDeliveryStuck",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchTargetMissing",
          "expr": "absent(porwatch_build_info)",
          "for": "1m",
          "labels": {
            "severity": "critical",
            "category": "quality"
          },
          "annotations": {
            "summary": "porwatch is gone.",
            "description": "Prometheus has no sample of any porwatch. Either it is not running or it cannot be scraped. Unless porwatch itself still sends alerts, no chain is watched.",
            "runbook_url": "/runbooks/PorwatchTargetMissing",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchConfigReloadFailed",
          "expr": "min(porwatch_config_last_reload_successful) < 1",
          "for": "0m",
          "labels": {
            "severity": "warning",
            "category": "quality"
          },
          "annotations": {
            "summary": "The last reload of the configuration failed.",
            "description": "porwatch goes on with the configuration before the change, so a wallet added since is not watched. Run porwatch check on the file; it names every mistake.",
            "runbook_url": "/runbooks/PorwatchConfigReloadFailed",
            "dashboard_url": "/d/porwatch-operations"
          }
        },
        {
          "alert": "PorwatchJournalTampered",
          "expr": "max(porwatch_journal_tampered) > 0",
          "for": "0m",
          "labels": {
            "severity": "critical",
            "category": "control"
          },
          "annotations": {
            "summary": "The journal is not what porwatch wrote.",
            "description": "A record or a signed tree head of the journal was changed or taken away, so no head is signed over it any more. Somebody has write access to the ledger, or the disk is failing. Run porwatch journal verify; it names the first record that differs.",
            "runbook_url": "/runbooks/PorwatchJournalTampered",
            "dashboard_url": "/d/porwatch-security"
          }
        },
        {
          "alert": "PorwatchWatchdog",
          "expr": "group(porwatch_last_success_timestamp_seconds{stage=\"follow\"})\nunless on ()\n(\n  group by (chain) (\n    porwatch_open_cases{chain!=\"\"}\n    or\n    last_over_time(porwatch_last_success_timestamp_seconds{stage=\"follow\"}[1d])\n  )\n  unless on (chain)\n  abs(time() - max by (chain) (porwatch_last_success_timestamp_seconds{stage=\"follow\"})) <= 120\n)\n",
          "for": "0m",
          "labels": {
            "severity": "none",
            "category": "quality"
          },
          "annotations": {
            "summary": "Every chain is followed and alerts arrive.",
            "description": "This alert always fires while porwatch follows every chain. Send it to a dead-man's switch outside this system, which pages when it stops.",
            "runbook_url": "/runbooks/PorwatchWatchdog",
            "dashboard_url": "/d/porwatch-operations"
          }
        }
      ]
    }
  ]
}
