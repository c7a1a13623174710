"""How is each rule of a bad cell said, in Chinese and in English?

The first are judged by the importer itself; the others are the names by which records holds a
row. A test compares them with what records can say.
"""

from __future__ import annotations

RULES = {
    "is_missing": ("此格为空,必须填写", "this cell is empty and must be filled"),
    "too_long": ("内容过长", "too long"),
    "longer_than_100": ("超过 100 个字", "longer than 100 characters"),
    "longer_than_200": ("超过 200 个字", "longer than 200 characters"),
    "not_text": ("应为文字", "should be text"),
    "digits_were_lost": ("证件号码被存为数字,末尾几位已丢失;请把该列设为文本后重新填写",
                         "the number is stored as a number and has lost its last digits; format "
                         "the column as text and enter it again"),
    "unknown_document_type": ("证件类型无法识别", "this document type is not known"),
    "not_a_number": ("不是数字", "not a number"),
    "not_a_whole_number": ("应为不小于 0 的整数", "should be a whole number, 0 or more"),
    "not_a_date": ("不是有效日期,应如 2027-03-01", "not a date; should be like 2027-03-01"),
    "not_a_time": ("不是有效时间,应如 09:30", "not a time; should be like 09:30"),
    "date_differs_from_start": ("服务日期与开始时间不在同一天",
                                "the date is not the day of the start"),
    "unit_is_not_representable": ("时长不是整数分钟(如 0.33 小时),不会四舍五入,请更正",
                                  "not a whole number of minutes (0.33 h, say); it is never "
                                  "rounded: correct it"),
}


# How records names them. ``{row}``: the line of the sheet that holds the same fact.
HELD = {
    "PersonIsUnknown": ("本市没有这个证件号码的志愿者;请先征得本人同意并登记",
                        "nobody is registered here under this number; register the person first, "
                        "with consent"),
    "NameDiffers": ("姓名与该证件号码登记的姓名不一致",
                    "the name is not the one registered under this number"),
    "BeforeBirth": ("服务日期早于出生日期", "the service lies before the person's birth"),
    "UnitIsNotRepresentable": RULES["unit_is_not_representable"],
    "FieldIsWrong": ("内容不是这一列应有的形式(类别、代码或文字),请对照空表的示例",
                     "not of the form of this column (a label, a code or plain text): see the "
                     "example in the template"),
    "ActorMayNot": ("导入人无权记录", "the importer may not record this"),
    "TextHoldsPersonalData": ("文字中含有证件号码、电话或坐标,请删去",
                              "the text holds an identity number, a phone or a coordinate; "
                              "leave it out"),
    "NotVolunteerService": ("不属于志愿服务(值班、会议、培训、捐赠等)",
                            "is no volunteer service (duty, meetings, training, donations …)"),
    "RecorderMayNotAct": ("该单位目前不得记录", "this organisation may not record at present"),
    "MinutesAreNotPositive": ("时长须大于 0", "the duration must be above zero"),
    "MinutesAreTooMany": ("一条记录不得超过 24 小时", "more than 24 hours in one entry"),
    "MinutesDisagree": ("时长与起止时间(扣除休息)或另一列不符",
                        "the duration differs from the times less breaks, or from another column"),
    "ServiceIsInTheFuture": ("服务日期在今天之后", "the service lies in the future"),
    "SameFactExists": ("已有相同的服务记录{row};若确为同日另一次,请在“同日序号”填 2、3 …",
                       "the same service is recorded already{row}; if it was another one that "
                       "day, put 2, 3 … under Distinct"),
    "EvidenceIsMissing": ("缺少证明材料", "evidence is missing"),
    "DossierIsSealed": ("该志愿者的档案已封存", "the person's dossier is sealed"),
    "TooManyAreHeld": ("该志愿者转移期间暂存过多,请稍后再导入",
                       "too much is kept aside for this person during a move; import later"),
    "SubjectIsUnknown": ("该志愿者的登记尚未到达,请稍后再导入",
                         "the person's registration has not arrived yet; import again later"),
    "OrganisationIsUnknown": ("该单位的登记尚未到达,请稍后再导入",
                              "the organisation's registration has not arrived yet; import later"),
    "PolicyIsMissing": ("该日期没有适用的记录规定", "no recording policy holds on that day"),
}


def words(rule: str, same_as_line: int | None = None) -> tuple[str, str]:
    """Chinese and English of a rule; of one that we do not know, its name."""
    zh, en = RULES.get(rule) or HELD.get(rule) or (rule, rule)
    if same_as_line is None:
        return zh.replace("{row}", ""), en.replace("{row}", "")
    return (zh.replace("{row}", f"(见第 {same_as_line} 行)"),
            en.replace("{row}", f" (line {same_as_line})"))
