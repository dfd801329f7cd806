"""Who talks in the demonstration, what they ask, and what the model answers.

Invariant: every question is asked once, so that an answer in the wrong place is seen.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from gateway.demo.model import Message, Reply

FIRST_TOKEN_SECONDS = (0.3, 1.2)
TOKENS_PER_SECOND = (13.0, 19.0)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One person's two questions, each with its answer."""

    person: str
    first: tuple[str, str]
    second: tuple[str, str]


SLACK = (
    Exchange(
        "Ann",
        (
            "Which form do I need to order a laptop?",
            "Use **IT-12**, in the portal under *Hardware*:\n\n1. pick a model,\n2. add your cost centre,\n"
            "3. let your manager approve it.\n\nOrders placed before noon are usually confirmed the same day, "
            "and the laptop arrives within a week.",
        ),
        (
            "And if I need it today?",
            "Then ask the service desk on the **second floor** for a loan machine. Bring your badge. They keep "
            "six of them, charged and up to date, and you may keep one until yours arrives.",
        ),
    ),
    Exchange(
        "Ben",
        (
            "How do I undo my last commit?",
            "If it is not pushed yet:\n\n```sh\ngit reset --soft HEAD~1\n```\n\nYour changes stay staged. If it "
            "*is* pushed, prefer a new commit that takes it back, so that nobody's history breaks:\n\n"
            "```sh\ngit revert HEAD\n```",
        ),
        (
            "What does --soft mean exactly?",
            "It moves only the branch. Index and working tree stay **untouched**:\n\n- `--soft` keeps both,\n"
            "- `--mixed` unstages,\n- `--hard` throws the changes away, so think twice before you use it.",
        ),
    ),
    Exchange(
        "Carla",
        (
            "Summarise yesterday's incident in three points.",
            "1. **09:12** a certificate expired, and sign-in failed for about 4 % of the users.\n"
            "2. **09:31** a new certificate was in place; errors stopped within two minutes.\n"
            "3. The reminder had gone to a mailbox that nobody reads. It now goes to the on-call channel.",
        ),
        (
            "Who owns the follow-up?",
            "*Identity*, until Friday. Two tasks are open: renew all certificates by machine, and alert "
            "**30 days** before any of them expires. The second one is already in review.",
        ),
    ),
    Exchange(
        "Dev",
        (
            "Why is the sky blue?",
            "Air scatters short waves far more than long ones: the effect grows with *1/λ⁴*. Blue light "
            "therefore reaches us from **every** direction of the sky, while red goes almost straight on. At "
            "sunset the path is long, and mostly red is left.",
        ),
        (
            "Then why isn't it violet?",
            "For three reasons: the sun sends less violet, the upper air absorbs part of it, and our eyes are "
            "*less sensitive* to it. What remains looks like a pale blue.",
        ),
    ),
    Exchange(
        "Emma",
        (
            "Translate 'the meeting is moved to Tuesday' into Chinese.",
            "会议改到**星期二**。\n\nIn a formal mail you would rather write: 会议时间已调整至星期二，敬请留意。"
            "The second sentence asks the reader politely to take note of it.",
        ),
        (
            "How is that pronounced?",
            "*Huìyì gǎi dào xīngqī'èr.* The word 改 (gǎi) means to change, and its third tone dips: start low, "
            "go lower, then let the voice rise a little.",
        ),
    ),
    Exchange(
        "Femi",
        (
            "What is the difference between a mutex and a semaphore?",
            "A **mutex** has one owner: who locks it, unlocks it. A **semaphore** counts permits, and anybody "
            "may give one back.\n\n- one thing at a time: mutex\n- at most *n* at a time: semaphore",
        ),
        (
            "Give me an example in Python.",
            "```python\nlimit = asyncio.Semaphore(10)\n\nasync def fetch(url):\n    async with limit:\n"
            "        return await get(url)\n```\n\nNever more than **ten** requests are under way.",
        ),
    ),
    Exchange(
        "Grace",
        (
            "Plan a team lunch for twelve people.",
            "- **Where:** the long table at *Rosa*, quiet before 12:30\n- **What:** three starters to share, then "
            "pasta or salad\n- **Note:** two are vegan and one eats no nuts\n\nI would order the day before; "
            "twelve dishes at once take them forty minutes.",
        ),
        (
            "How much will that be?",
            "About **22 €** each, so 264 € in all, with water and coffee. With a starter fewer it is nearer to "
            "240 €. Tips are not in it.",
        ),
    ),
    Exchange(
        "Hugo",
        (
            "Explain DNS to a ten-year-old.",
            "Computers find one another by **numbers**, people by *names*. DNS is the big phone book in between: "
            "you say a name, it looks up the number, and your computer calls it. Nobody owns the whole book; "
            "everybody keeps a few pages.",
        ),
        (
            "And what is a cache then?",
            "It's the note on your desk with the numbers that you called **today**. You need not ask again, until "
            "the note is too old and you throw it away.",
        ),
    ),
    Exchange(
        "Iris",
        (
            "Is 97 a prime number?",
            "**Yes.** It is enough to try the primes up to √97 ≈ 9.8:\n\n- 2, it is odd\n- 3, the digits add up "
            "to 16\n- 5, it ends in 7\n- 7, since 7 × 13 = 91 leaves 6",
        ),
        (
            "And 91?",
            "**No:** 91 = 7 × 13. It fools many people, because it is odd, does not end in 5, and its digits add "
            "up to 10.",
        ),
    ),
    Exchange(
        "Jonas",
        (
            "Write a haiku about deploying on a Friday.",
            "*Green lights, five o'clock.*\n*One small change, what could go wrong?*\n*Monday is far off.*\n\nIf "
            "you mean it seriously: use a flag, watch the graphs for an hour, and know how to roll it back.",
        ),
        (
            "One about rolling back, please.",
            "*The old code returns,*\n*quiet as it always was.*\n*We write the report.*\n\nShorter advice: practise "
            "it **before** you need it.",
        ),
    ),
)

LARK = (
    Exchange(
        "小林",
        (
            "年假怎么申请？",
            "打开**审批**应用，选择「请假」：\n\n1. 类型选年假；\n2. 填写起止日期；\n3. 提交给直属主管。\n\n一般一个工作日内就会有结果，"
            "超过五天的假期还需要部门负责人同意。",
        ),
        (
            "没休完的可以留到明年吗？",
            "可以，最多**五天**，要在明年三月底之前休完。其余的天数会自动清零，所以建议年底之前先看一下余额。",
        ),
    ),
    Exchange(
        "王芳",
        (
            "帮我把会议纪要整理成三点。",
            "- **目标**：下个版本在月底发布，范围不再增加；\n- **风险**：支付接口的联调还差两天，由王强跟进；\n- **下一步**：周三之前完成回归测试，"
            "周四上午再开一次短会确认。",
        ),
        (
            "谁负责写发布说明？",
            "由**产品组的陈晨**来写，周二下班以前发出初稿，测试和客服各看一遍，最后在周四的会上定稿。",
        ),
    ),
    Exchange(
        "李雷",
        (
            "Python 怎么读取一个很大的文件？",
            "逐行读取，不要一次读完：\n\n```python\nwith open('big.log', encoding='utf-8') as file:\n    for line in file:\n"
            "        handle(line)\n```\n\n这样内存只占用**一行**的大小。",
        ),
        (
            "如果是二进制文件呢？",
            "那就按块读取，例如每次 64 KiB：\n\n```python\nwhile block := file.read(65536):\n    handle(block)\n```\n\n"
            "循环在文件结束时**自动**停止。",
        ),
    ),
    Exchange(
        "韩梅",
        (
            "明天去上海出差要带什么？",
            "明天上海**小雨**，12 到 17 度：\n\n- 一把折叠伞，一件薄外套；\n- 身份证和工牌，客户那边要登记；\n- 充电器，还有打印好的合同两份。\n\n祝一路顺利！",
        ),
        (
            "从虹桥站怎么去客户那里？",
            "坐地铁**二号线**到静安寺站，从五号口出来，步行六分钟就到。早高峰比打车快二十分钟左右。",
        ),
    ),
    Exchange(
        "陈晨",
        (
            "用一句话解释什么是幂等。",
            "**同一个请求做一次和做很多次，结果都一样。** 比如「把灯打开」是幂等的，「按一下开关」就不是。网络会重发消息，所以接口最好都是幂等的。",
        ),
        (
            "数据库里怎么实现？",
            "给每个请求一个**唯一编号**，和结果写在同一个事务里。再次收到相同编号时，直接返回原来的结果，不再执行。",
        ),
    ),
    Exchange(
        "赵敏",
        (
            "推荐三本适合新经理读的书。",
            "1. 《高产出管理》：怎样看待会议和**杠杆率**；\n2. 《关键对话》：难开口的话怎么说；\n3. 《团队协作的五大障碍》：用一个故事讲**信任**。\n\n"
            "先读第二本，马上就能用上。",
        ),
        (
            "时间只够读一章呢？",
            "那就读《高产出管理》里讲**一对一沟通**的那一章，大概三十页，读完当天就可以约第一次谈话。",
        ),
    ),
    Exchange(
        "Kenji",
        (
            "What's the time difference between Tokyo and Berlin?",
            "In winter **8 hours**, in summer **7**, with Tokyo ahead. Japan keeps no daylight saving time, so it "
            "changes when Europe's clocks do: on the last Sundays of March and October.",
        ),
        (
            "So when should we meet?",
            "Best is **9:00 in Berlin**, which is 17:00 in Tokyo in winter and 16:00 in summer. Nobody has to "
            "stay late, and both still have working hours left.",
        ),
    ),
    Exchange(
        "Linh",
        (
            "Draft a short reply declining an invitation.",
            "> Thank you for thinking of me. I'd have liked to come, but that week is already full. I hope the "
            "evening goes well, and that you will ask me **again**.\n\nIt gives a reason without an excuse, and "
            "leaves the door open.",
        ),
        (
            "Make it sound warmer.",
            "> What a kind invitation, thank you! I'm truly sorry to miss it. Please raise a glass for me, and "
            "**let's meet soon**, the two of us.",
        ),
    ),
    Exchange(
        "Maya",
        (
            "How many litres are in a cubic metre?",
            "**1,000.** A litre is a cube with edges of 10 cm, and ten of those fit along each edge of a metre: "
            "10 × 10 × 10. A cubic metre of water weighs about one tonne.",
        ),
        (
            "And how many in my 40 × 30 × 25 cm tank?",
            "40 × 30 × 25 = 30,000 cm³, and a litre is 1,000 cm³. So the tank holds **30 litres**, filled to the "
            "very brim; reckon with 27.",
        ),
    ),
    Exchange(
        "Noor",
        (
            "Give me a checklist before a release.",
            "- [ ] tests are green on the *release* branch\n- [ ] the migration was tried on a copy\n- [ ] somebody "
            "knows how to roll back\n- [ ] the change log is written for users\n- [ ] on-call agreed to the hour",
        ),
        (
            "Which one is forgotten most?",
            "The **third**. Everybody believes that rolling back is easy, until a migration has run. Try it once "
            "on the copy, with a stopwatch.",
        ),
    ),
)

_ANSWERS = dict(pair for exchange in (*SLACK, *LARK) for pair in (exchange.first, exchange.second))


def answer(messages: list[Message]) -> Reply:
    """The model's script: the answer written for the question, at a pace of its own."""
    question = messages[-1].content.strip()
    chance = random.Random(question)
    return Reply(
        _ANSWERS.get(question, f"I do not know this question: {question}"),
        first_token_after=chance.uniform(*FIRST_TOKEN_SECONDS),
        tokens_per_second=chance.uniform(*TOKENS_PER_SECOND),
    )
