"""Why a message was answered so, or not at all: one plain sentence for an admin, in English and Chinese.

Each says what happened and, where something can be done about it, what. Every reason has one, which a test asserts.
"""

from __future__ import annotations

from dataclasses import dataclass

from conversation.turn import Reason


@dataclass(frozen=True, slots=True)
class Sentence:
    en: str
    zh: str


ANSWERED = Sentence("The agent's complete answer was shown to the person.", "智能体的完整回答已显示给用户。")
OBEYED = Sentence(
    "It was a command to the conversation, and was carried out. One that was given in the chat is answered there with"
    " a short sentence; of one that came by the API nothing is shown.",
    "这是一条会话指令，已执行。聊天中发出的指令会得到一句简短回复；通过 API 发出的指令不在聊天中显示。",
)
WAITING = Sentence(
    "It waits for its turn: messages of one conversation are answered one after the other.",
    "正在排队：同一会话中的消息会依次回答。",
)
HELD = Sentence(
    "It is about to begin, and waits for a free place: a limit on replies at once (of the process, the bot or the"
    " person) is reached, or no process is running that has this bot.",
    "即将开始，正在等待空位：同时回答的数量已达上限（进程、机器人或个人），或没有进程运行此机器人。",
)
RUNNING = Sentence("It is being answered now.", "正在回答。")
BACKING_OFF = Sentence(
    "The platform did not take the answer; it is tried again in a while. Look at the bot's status for why.",
    "平台暂未接受回答，稍后会重试。原因请查看机器人的状态。",
)
MERGED = Sentence(
    "It joined an earlier message of the same person that was still waiting (when_busy), and shares its answer.",
    "它与同一用户尚在等待的上一条消息合并（when_busy），共用一个回答。",
)
GONE = Sentence(
    "It was accepted, and its end is no longer in the log, which keeps only the newest events.",
    "消息已接受，但其结果已不在日志中，日志只保留最新的事件。",
)
NEVER = Sentence(
    "No message was accepted under this id in the time that events are kept (7 days by default).",
    "在事件保留期内（默认 7 天），没有接受过此编号的消息。",
)
QUIET = Sentence(
    "The bot received nothing at all yet: check the webhook URL and the subscribed events on the platform.",
    "机器人尚未收到任何请求：请检查平台上的 Webhook 地址和订阅的事件。",
)
IGNORED = Sentence("Ignored so far: {counts}.", "迄今忽略：{counts}。")
REJECTED = Sentence("Rejected so far: {counts}.", "迄今拒绝：{counts}。")

REASONS = {
    Reason.UNSUPPORTED: Sentence(
        "It holds nothing that a bot can read, such as a voice message or a sticker; the person was told what, and"
        " asked to write instead.",
        "消息中没有机器人能读取的内容（例如语音或表情贴纸）；已告知用户具体是什么，并请其改用文字。",
    ),
    Reason.STALE: Sentence(
        "It reached the gateway later than the bot's max_age allows, so the person was asked to send it again;"
        " usually the gateway or the network was down, or a clock is wrong.",
        "消息到达网关时已超过机器人的 max_age，已请用户重新发送；通常是网关或网络曾中断，或时钟不准。",
    ),
    Reason.BOT_DISABLED: Sentence(
        "The bot is switched off or was removed, and the person was told so; enable it to have it answer.",
        "机器人已停用或已删除，已告知用户；启用后即可回答。",
    ),
    Reason.NOT_ALLOWED: Sentence(
        "The person or the chat is not among those the bot may answer, or belongs to another workspace or tenant;"
        " see the bot's allow and external_users.",
        "该用户或聊天不在机器人允许的范围内，或属于其他工作区或租户；请查看机器人的 allow 和 external_users。",
    ),
    Reason.CREDENTIAL_MISSING: Sentence(
        "The bot lacks credentials; add them on the bot's page.", "机器人缺少凭证；请在机器人页面添加。"
    ),
    Reason.MALFORMED: Sentence(
        "What was stored of the message could not be read: the record is damaged, or a later version of Turnkeeper"
        " wrote it; it is among the dead letters.",
        "存储的消息无法读取：记录已损坏，或由更高版本的 Turnkeeper 写入；可在死信中查看。",
    ),
    Reason.EMPTY_REPLY: Sentence(
        "The model answered with no text, so the person was asked to put it differently; look at the agent's model"
        " and prompt.",
        "模型没有返回文字，已请用户换一种说法；请检查智能体的模型和提示词。",
    ),
    Reason.CONTEXT_TIMEOUT: Sentence(
        "The conversation's history could not be read in time; look at the store.",
        "未能及时读取会话历史；请检查存储。",
    ),
    Reason.MODEL_TIMEOUT: Sentence(
        "The model was too slow for the agent's timeouts, and the person was told so; ping the agent, or raise its"
        " timeouts.",
        "模型响应超过智能体的时限，已告知用户；请测试智能体，或调高时限。",
    ),
    Reason.MODEL_ERROR: Sentence(
        "The model refused or broke off, and the person was told so; ping the agent to see what its provider says.",
        "模型拒绝或中断了回答，已告知用户；请测试智能体，查看服务商的说明。",
    ),
    Reason.MODEL_RATE_LIMITED: Sentence(
        "The model's provider refused because of its rate limit; raise the limit there, or let fewer replies run"
        " at once.",
        "模型服务商因频率限制拒绝；请在服务商处提高限额，或减少同时回答的数量。",
    ),
    Reason.DELIVERY_FAILED: Sentence(
        "The platform refused the answer for good, or for too long: the chat is gone, the bot was removed from it, or"
        " a scope is missing; it is among the dead letters.",
        "平台最终拒绝了回答，或长时间未接受：聊天已不存在、机器人已被移出或缺少权限；可在死信中查看。",
    ),
    Reason.EXECUTOR_CRASH: Sentence(
        "The gateway broke while answering: the log names the fault under this turn's id; after the fourth time it is"
        " among the dead letters.",
        "网关在回答时发生故障：日志中以此编号记录了原因；第四次后会进入死信。",
    ),
    Reason.QUEUE_FULL: Sentence(
        "Too many messages were waiting in the conversation already, so it was not taken; see limits.max_queued and"
        " when_busy.",
        "会话中等待的消息过多，未接受此消息；请查看 limits.max_queued 和 when_busy。",
    ),
    Reason.CANCELLED: Sentence(
        "Somebody stopped the answer: the person in the chat, or an operator; what was written until then stays.",
        "有人停止了回答：聊天中的用户或管理员；已写出的内容保留。",
    ),
    Reason.TAKEN_BACK: Sentence(
        "The person took the message back, which ended its answer.", "用户撤回了消息，回答因此结束。"
    ),
    Reason.SUPERSEDED: Sentence(
        "A newer message of the conversation ended the answer (when_busy: interrupt).",
        "会话中更新的消息结束了此回答（when_busy: interrupt）。",
    ),
    Reason.UNSUPPORTED: Sentence(
        "The message held nothing but what this bot cannot read, such as a voice message; the person was told what.",
        "消息中只有此机器人无法读取的内容，例如语音；已告知用户。",
    ),
}

_NO_TOKEN = Sentence(
    "A request did not hold this app's verification token: it is another app's, or it was not the platform that sent"
    " it.",
    "请求中的 Verification Token 不属于此应用：来自其他应用，或并非来自平台。",
)

ERRORS = {
    "app_rate_limited": Sentence(
        "Slack held events back, as there were more than 30,000 in an hour for this app and workspace: let the app"
        " subscribe to fewer.",
        "此应用在该工作区一小时内的事件超过 30,000 个，Slack 已停止推送部分事件：请减少应用订阅的事件。",
    ),
    "tokens_revoked": Sentence(
        "The platform says that the bot's token was withdrawn: install the app again and give the bot its new token.",
        "平台告知机器人的令牌已被撤销：请重新安装应用，并填写新的令牌。",
    ),
    "app_uninstalled": Sentence(
        "The platform says that the app was removed: install it again and give the bot its new token.",
        "平台告知应用已被移除：请重新安装，并填写新的令牌。",
    ),
    "store_unavailable": Sentence(
        "The store could not be reached, so the platform was asked to send its event again.",
        "无法连接存储，已要求平台重新发送事件。",
    ),
    "put_back": Sentence(
        "The platform did not take an answer, which is tried again: it limits the bot, or does not answer.",
        "平台暂未接受回答，稍后会重试：平台限制了机器人的频率，或没有响应。",
    ),
    "rejected:signature": Sentence(
        "A request had no valid signature: the signing secret is not this app's, a clock is wrong, or it was not"
        " Slack that sent it.",
        "请求签名无效：签名密钥不属于此应用、时钟不准，或请求并非来自 Slack。",
    ),
    "rejected:bad_signature": Sentence(
        "A request had no valid signature: the encrypt key is not this app's, or it was not Lark that sent it.",
        "请求签名无效：Encrypt Key 不属于此应用，或请求并非来自飞书。",
    ),
    "rejected:unsigned": Sentence(
        "A request was not signed: set the encrypt key on the platform too, or take it out here.",
        "请求未签名：请在平台上也设置 Encrypt Key，或在此处删除。",
    ),
    "rejected:stale": Sentence(
        "A request was signed too long ago: a clock is wrong, or somebody sent an old one again.",
        "请求的签名时间过旧：时钟不准，或有人重放了旧请求。",
    ),
    "rejected:not_authentic": _NO_TOKEN,
    "rejected:wrong_token": _NO_TOKEN,
    "rejected:draft": Sentence(
        "An event came although the bot is a draft: add its credentials.",
        "机器人仍是草稿时收到了事件：请添加凭证。",
    ),
    "rejected:unreadable": Sentence(
        "Somebody sent what no platform sends.", "有人发送了平台不会发送的内容。"
    ),
}
"""What a bot's status calls an error, besides the reasons of turns."""


def error_sentence(error: str) -> Sentence:
    """``error`` is a Reason or one of ERRORS; of a later version's the word itself."""
    if error in ERRORS:
        return ERRORS[error]
    try:
        return REASONS[Reason(error)]
    except ValueError:
        return Sentence(error, error)
